import { parkedKeyText, type ParkedEntry, type ParkedState } from '@outbound/contract';
import { noLsn, type Lsn } from '../wal/lsn.ts';
import { comparePositions, type SourcePosition } from '../wal/source-position.ts';

/** A record of the topic of parked keys, read back. */
export interface JournalRecord {
  /** Undefined if it was written for another source: it says how the key stood before everything that is read here. */
  readonly position: SourcePosition | undefined;
  readonly eid: string;
  readonly entry: ParkedEntry;
}

/** What is known of an event's key when the event comes. */
export interface Standing {
  /** Undefined if the key is free. */
  readonly state: ParkedState | undefined;
  /** What was decided about this very event before a restart. */
  readonly recorded: ParkedEntry | undefined;
}

/** A decision that comes again. */
interface Ahead {
  readonly position: SourcePosition;
  readonly eid: string;
  readonly entry: ParkedEntry;
}

interface KeyJournal {
  state: ParkedState | undefined;
  /** Decisions that come again, in order of the log; from `next` on they have not been met. */
  readonly ahead: Ahead[];
  next: number;
}

/** What the journal has to say where the log does not have the event that something was decided about. */
export interface VoidDecision {
  /** Where it was decided. */
  readonly position: SourcePosition;
  readonly entry: ParkedEntry;
}

/**
 * Which keys are parked, at the place to which the log is read. After a restart the log is read again from where the
 * slot is, which is before what the journal (the topic of parked keys) says last. So the journal is not the state but
 * the history of it: what was before the slot's position is how a key stood there, and what comes behind is met
 * again, event by event. So an event that is read twice goes where it went, whatever the relay has learnt between.
 *
 * Small: a state for each parked key, and what is read again at the start. No clock, no I/O.
 */
export class ParkedKeys {
  readonly #startLsn: Lsn;
  readonly #keys = new Map<string, KeyJournal>();
  /** What was recorded and has not come again, in order of the log; undefined before the first question. */
  #ahead: { readonly key: string; readonly ahead: Ahead }[] | undefined;
  #nextAhead = 0;

  /** `startLsn`: nothing that commits before it is read. */
  constructor(startLsn: Lsn = noLsn) {
    this.#startLsn = startLsn;
  }

  /** Keys that are parked here and now. */
  get size(): number {
    let size = 0;
    for (const { state } of this.#keys.values()) if (state) size += 1;
    return size;
  }

  /** How many are parked, by the code of the first event's error. */
  byCode(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { state } of this.#keys.values())
      if (state) counts.set(state.code, (counts.get(state.code) ?? 0) + 1);
    return counts;
  }

  /** The parked keys, each with its state. */
  *list(): Generator<{ aggregateType: string; aggregateId: string; state: ParkedState }> {
    for (const [key, { state }] of this.#keys) {
      if (!state) continue;
      const [aggregateType = '', aggregateId = ''] = JSON.parse(key) as string[];
      yield { aggregateType, aggregateId, state };
    }
  }

  /**
   * A record of the journal; in the order of the topic, and all of them before the first `standing`. What was read
   * again after a restart stands there again. Before `startLsn` the last one in the topic counts, since whoever
   * acknowledged so far had written everything up to there.
   */
  load({ position, eid, entry }: JournalRecord): void {
    const journal = this.#journal(parkedKeyText(entry.aggregateType, entry.aggregateId));
    const { ahead } = journal;
    if (position === undefined || position.commitLsn < this.#startLsn) {
      journal.state = entry.after;
      if (entry.isAnew) ahead.length = 0;
      return;
    }
    let at = ahead.length;
    while (at > 0 && comparePositions(ahead[at - 1]?.position ?? position, position) >= 0) at -= 1;
    const known = ahead[at];
    const isAgain = known !== undefined && comparePositions(known.position, position) === 0;
    if (entry.isAnew) ahead.length = at;
    ahead.splice(at, isAgain ? 1 : 0, { position, eid, entry });
  }

  /**
   * Everything that commits before `lsn` has been judged. Gives what of the journal is thereby void: it was decided
   * about events that this log does not have, in another history of the database. It has to be said in the journal
   * before the slot passes them, or the next start would take it for what was before.
   */
  passed(lsn: Lsn): readonly VoidDecision[] {
    this.#ahead ??= this.#everythingAhead();
    const found: VoidDecision[] = [];
    for (let next = this.#ahead[this.#nextAhead]; next; next = this.#ahead[this.#nextAhead]) {
      if (next.ahead.position.commitLsn >= lsn) break;
      this.#nextAhead += 1;
      const journal = this.#keys.get(next.key);
      if (journal?.ahead[journal.next] !== next.ahead) continue;
      if (next.ahead.entry.kind === 'void') journal.next += 1;
      else found.push(this.#refute(next.key, journal, next.ahead));
    }
    if (this.#nextAhead === this.#ahead.length) this.#ahead.length = this.#nextAhead = 0;
    return found;
  }

  /**
   * The log is written up to `lsn` and no further, asked for after the journal was read: what was decided about events
   * beyond it is void, as `passed` gives it. **Order**: before the first event.
   */
  beyond(lsn: Lsn): readonly VoidDecision[] {
    const found: VoidDecision[] = [];
    for (const { ahead, state } of this.#keys.values()) {
      const from = ahead.findIndex(
        ({ position, entry }) => position.commitLsn >= lsn && entry.kind !== 'void',
      );
      const first = ahead[from];
      if (!first) continue;
      const before = ahead[from - 1];
      found.push(voidDecision(first, before ? before.entry.after : state));
      ahead.length = from;
    }
    return found;
  }

  /** How the event's key stands; events come in order of the log. `refuted`: as `passed` gives it. */
  standing(
    aggregateType: string,
    aggregateId: string,
    position: SourcePosition,
    eid: string,
  ): Standing & { readonly refuted?: VoidDecision } {
    const key = parkedKeyText(aggregateType, aggregateId);
    const journal = this.#keys.get(key);
    if (!journal) return { state: undefined, recorded: undefined };
    let recorded: ParkedEntry | undefined;
    for (let next = journal.ahead[journal.next]; next; next = journal.ahead[journal.next]) {
      const order = comparePositions(next.position, position);
      if (order > 0) break;
      if (next.entry.kind !== 'void' && (order < 0 || next.eid !== eid)) {
        const refuted = this.#refute(key, journal, next);
        return { state: journal.state, recorded: undefined, refuted };
      }
      journal.next += 1;
      recorded = next.entry.kind === 'void' ? undefined : next.entry;
    }
    return { state: journal.state, recorded };
  }

  /** True for a key of which nothing is known, which is every key but a few. */
  isFree(aggregateType: string, aggregateId: string): boolean {
    return this.#keys.size === 0 || !this.#keys.has(parkedKeyText(aggregateType, aggregateId));
  }

  /**
   * The decision about the event that was asked for last; gives what the journal has to say of it. If it is another
   * than the recorded one, nothing that was recorded behind it holds, and the entry says that, too.
   */
  apply(entry: ParkedEntry, recorded: ParkedEntry | undefined): ParkedEntry {
    const { aggregateType, aggregateId, after } = entry;
    const key = parkedKeyText(aggregateType, aggregateId);
    const journal = this.#journal(key);
    journal.state = after;
    if (entry === recorded) return onlyOnce(entry);
    const isAnew = journal.next < journal.ahead.length;
    journal.ahead.length = journal.next;
    if (!after) this.#keys.delete(key);
    return isAnew ? { ...entry, isAnew } : entry;
  }

  /** What is recorded from here on is not about the events of this log. */
  #refute(key: string, journal: KeyJournal, first: Ahead): VoidDecision {
    journal.ahead.length = journal.next;
    if (!journal.state) this.#keys.delete(key);
    return voidDecision(first, journal.state);
  }

  #everythingAhead(): { readonly key: string; readonly ahead: Ahead }[] {
    return Array.from(this.#keys)
      .flatMap(([key, { ahead }]) => ahead.map((each) => ({ key, ahead: each })))
      .sort((a, b) => comparePositions(a.ahead.position, b.ahead.position));
  }

  #journal(key: string): KeyJournal {
    let journal = this.#keys.get(key);
    if (!journal) {
      journal = { state: undefined, ahead: [], next: 0 };
      this.#keys.set(key, journal);
    }
    return journal;
  }
}

function voidDecision(
  { position, entry: { aggregateType, aggregateId } }: Ahead,
  after: ParkedState | undefined,
): VoidDecision {
  return { position, entry: { kind: 'void', aggregateType, aggregateId, after, isAnew: true } };
}

/** Said once, it made void what was behind it; said again, it would make void what was decided since. */
function onlyOnce({ isAnew: _, ...entry }: ParkedEntry): ParkedEntry {
  return entry;
}
