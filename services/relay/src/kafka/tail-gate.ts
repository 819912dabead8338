import { recordHeader } from '@outbound/contract';
import type { TrackedTransaction } from '../ack/ack-tracker.ts';
import { maxLsn, noLsn, type Lsn } from '../wal/lsn.ts';
import { comparePositions, type SourcePosition } from '../wal/source-position.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { laneKey } from './publisher.ts';
import type { RefutedTails } from './tail.ts';
import { type RefutedTail, type Tail, type TailFinding } from './tail.ts';

export interface TailGateOptions {
  /** What earlier sessions of this process have found out; added to. */
  readonly refuted: RefutedTails;
  /** A record of the transaction need not be waited for. */
  readonly onDelivered: (transaction: TrackedTransaction) => void;
  /** The record is at or before the tail of its lane: it is not sent, and is let go. */
  readonly onWithheld: (record: OutboundRecord) => void;
  /** Some tails are behind the slot's position. Called once at the most. */
  readonly onAhead: (ahead: TailsAhead) => void;
  /** The log has met the tail: so many withheld records are in the partition. */
  readonly onMet: (lane: string, records: number) => void;
  readonly onRefuted: (refuted: readonly RefutedTail[]) => void;
  /** Nothing is undecided any more, and records were withheld on account of tails that are wrong: they have to be read again. Called once. */
  readonly onMustReadAgain: (refuted: readonly RefutedTail[]) => void;
}

/** Tails behind the slot's position, which the log has to show. */
export interface TailsAhead {
  readonly partitions: number;
  readonly startLsn: Lsn;
  /** The furthest of them. */
  readonly furthestLsn: Lsn;
}

/** What is known of the log when the tails are. */
export interface LogBounds {
  /** Where the stream began: nothing that commits before it is delivered. */
  readonly startLsn: Lsn;
  /** How far the log was written, asked for after the tails were read. */
  readonly flushedLsn: Lsn;
}

/** A lane that is not simply sent: its tail is undecided, or was refuted while records were withheld (`found`), or met ahead of its records. */
interface WatchedLane {
  readonly tail: Tail;
  isMet: boolean;
  withheld: number;
  /** The transaction of the first withheld record, which waits for all of them. */
  held: TrackedTransaction | undefined;
  found: TailFinding | undefined;
}

/**
 * Between the log and the lanes: leaves out what the partitions hold already (I7), and believes it only when it is proven (I1).
 *
 * A tail is **met** when the log has its very event at its very position. An event's id is random, so a log in which it is committed
 * there is the one that it was published from, up to there; and a lane is written in order, so what comes before in the lane is in the
 * partition. Nothing less proves that: after a storage snapshot was brought back, server, timeline and slot are the same, the log is
 * behind the tails, and new events take the old positions.
 *
 * Until then the lane's records at or before it are **withheld**: not sent, and let go (I9). The first of them stays undelivered
 * for its transaction and stands for all, so the slot stays before it (I6). A tail is **refuted** when the log is read past it, or is not
 * written that far. If nothing was withheld, the lane simply goes on. Else its records are wanted after all and have to be read
 * again, by a new session that knows. That one comes when every other tail is decided too, so it is one; everything before
 * the end of the log as it was at the start decides them all.
 *
 * Opened late: what was read before the tails were known is in the lanes, and is shown to it then, in order. No clock, no I/O.
 */
export class TailGate {
  readonly #options: TailGateOptions;
  readonly #lanes = new Map<string, WatchedLane>();
  readonly #leftOut: { position: SourcePosition; eid: string }[] = [];
  readonly #mustReadAgain: RefutedTail[] = [];
  #isOpen = false;
  #undecided = 0;
  /** Everything that commits before this has been seen. */
  #passedLsn: Lsn = noLsn;
  /** The lowest commit of an undecided tail: below it there is nothing to decide. */
  #nextLsn: Lsn = noLsn;

  constructor(options: TailGateOptions) {
    this.#options = options;
  }

  /** Lanes whose tail is neither met nor refuted yet. */
  get undecided(): number {
    return this.#undecided;
  }

  /** Records that are withheld now. */
  get withheld(): number {
    let sum = 0;
    for (const { withheld } of this.#lanes.values()) sum += withheld;
    return sum;
  }

  /** The tails are known. `queued` shows each record that was read before, in its lane's order, to `admits`. */
  open(
    tails: ReadonlyMap<string, Tail>,
    { startLsn, flushedLsn }: LogBounds,
    queued: (admits: (record: OutboundRecord, transaction: TrackedTransaction) => boolean) => void,
  ): void {
    this.#isOpen = true;
    const beyond: RefutedTail[] = [];
    for (const [lane, tail] of tails) {
      const { commitLsn } = tail.position;
      // Confirmed before: whatever comes is behind it. Known to be wrong: as if it were not there.
      if (commitLsn < startLsn || this.#options.refuted.has(lane, tail)) continue;
      // In one history a commit is written before it is published.
      if (commitLsn >= flushedLsn)
        beyond.push({ lane, tail, found: { kind: 'end', flushedLsn }, withheld: 0 });
      else
        this.#lanes.set(lane, {
          tail,
          isMet: false,
          withheld: 0,
          held: undefined,
          found: undefined,
        });
    }
    this.#undecided = this.#lanes.size;
    this.#findNext();
    this.#tell(beyond);
    let furthestLsn: Lsn = noLsn;
    for (const { tail } of this.#lanes.values())
      furthestLsn = maxLsn(furthestLsn, tail.position.commitLsn);
    if (this.#lanes.size > 0)
      this.#options.onAhead({ partitions: this.#lanes.size, startLsn, furthestLsn });
    for (const { position, eid } of this.#leftOut.splice(0)) this.leftOut(position, eid);
    queued((record, transaction) => this.admits(record, transaction));
    this.passed(this.#passedLsn);
  }

  /** True if the record has to be sent. If not, it is withheld, or in its partition: the transaction need not be counted down for it. */
  admits(record: OutboundRecord, transaction: TrackedTransaction): boolean {
    if (this.#lanes.size === 0) return true;
    const key = laneKey(record.topic, record.partition);
    const lane = this.#lanes.get(key);
    if (!lane) return true;
    const eid = record.headers[recordHeader.id] ?? '';
    const order = comparePositions(record.position, lane.tail.position);
    if (lane.isMet && order > 0) {
      this.#lanes.delete(key);
      return true;
    }
    if (lane.isMet || (lane.found === undefined && order === 0 && eid === lane.tail.eid)) {
      this.#options.onWithheld(record);
      this.#options.onDelivered(transaction);
      this.#meet(key, lane, 1);
      return false;
    }
    if (lane.found === undefined && order >= 0) {
      this.#refute([
        [
          key,
          lane,
          order === 0
            ? { kind: 'other-event', eid }
            : { kind: 'no-event', readLsn: record.position.commitLsn },
        ],
      ]);
      if (lane.withheld === 0) return true;
    }
    lane.withheld += 1;
    this.#options.onWithheld(record);
    if (lane.held) this.#options.onDelivered(transaction);
    else lane.held = transaction;
    return false;
  }

  /** True for a record that would not be sent now, since it is at or before its partition's last one. */
  isBehindTail(record: OutboundRecord): boolean {
    if (this.#lanes.size === 0) return false;
    const lane = this.#lanes.get(laneKey(record.topic, record.partition));
    return lane !== undefined && comparePositions(record.position, lane.tail.position) <= 0;
  }

  /** An event that is not published, because an operator said so: it proves a tail as well as one that is. */
  leftOut(position: SourcePosition, eid: string): void {
    if (!this.#isOpen) {
      this.#leftOut.push({ position, eid });
      return;
    }
    for (const [key, lane] of this.#lanes)
      if (
        isUndecided(lane) &&
        lane.tail.eid === eid &&
        comparePositions(lane.tail.position, position) === 0
      )
        this.#meet(key, lane, 0);
  }

  /** Whatever commits before `lsn` has been read. */
  passed(lsn: Lsn): void {
    this.#passedLsn = maxLsn(this.#passedLsn, lsn);
    if (!this.#isOpen || this.#undecided === 0 || lsn <= this.#nextLsn) return;
    this.#refute(
      Array.from(this.#lanes)
        .filter(([, lane]) => isUndecided(lane) && lane.tail.position.commitLsn < lsn)
        .map(([key, lane]) => [key, lane, { kind: 'no-event', readLsn: lsn }] as const),
    );
  }

  /** The lane is watched on until its next record: what was left out may have been read before the records that it proves. */
  #meet(key: string, lane: WatchedLane, more: number): void {
    const { held, withheld } = lane;
    if (!lane.isMet) this.#undecided -= 1;
    lane.isMet = true;
    lane.held = undefined;
    lane.withheld = 0;
    this.#findNext();
    if (held) this.#options.onDelivered(held);
    this.#options.onMet(key, withheld + more);
    this.#readAgainIfDecided();
  }

  #refute(found: readonly (readonly [string, WatchedLane, TailFinding])[]): void {
    const refuted: RefutedTail[] = [];
    for (const [key, lane, finding] of found) {
      const { tail, withheld } = lane;
      const told = { lane: key, tail, found: finding, withheld };
      refuted.push(told);
      this.#undecided -= 1;
      if (withheld === 0) this.#lanes.delete(key);
      else {
        // What is behind the withheld records must not overtake them.
        lane.found = finding;
        this.#mustReadAgain.push(told);
      }
    }
    this.#findNext();
    this.#tell(refuted);
    this.#readAgainIfDecided();
  }

  #tell(refuted: readonly RefutedTail[]): void {
    if (refuted.length === 0) return;
    for (const each of refuted) this.#options.refuted.add(each);
    this.#options.onRefuted(refuted);
  }

  #readAgainIfDecided(): void {
    if (this.#undecided === 0 && this.#mustReadAgain.length > 0)
      this.#options.onMustReadAgain(this.#mustReadAgain.splice(0));
  }

  #findNext(): void {
    let next: Lsn | undefined;
    for (const lane of this.#lanes.values()) {
      const { commitLsn } = lane.tail.position;
      if (isUndecided(lane) && (next === undefined || commitLsn < next)) next = commitLsn;
    }
    this.#nextLsn = next ?? noLsn;
  }
}

function isUndecided({ isMet, found }: WatchedLane): boolean {
  return !isMet && found === undefined;
}
