import { partitionKey, type TopicPartition } from '@outbound/kafka';
import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

/** A handler that runs in a reader. */
interface Running {
  readonly reader: string;
  readonly record: LoggedRecord;
  /** The share under which it began. */
  readonly share: number;
  /** Events that are handed to a handler together have the same number. */
  readonly call: number;
  /** Told that its result does not count any more. */
  isReleased: boolean;
}

interface Reader {
  readonly sessionTimeoutMs: number;
  /** Partitions of its share, as the last sync said; by name. */
  share: ReadonlySet<string>;
  /** Counts its shares: what is behind one starts anew. */
  shares: number;
  /** The coordinator has told it that it is out. */
  isOut: boolean;
  /** The coordinator has thrown it out, whether it has heard of it or not. */
  isThrownOut: boolean;
  /** When it sent the last request that the coordinator has answered as a member's. */
  heardMs: number;
  /** For each key, the last record that it has handled, and under which of its shares it had begun. */
  readonly done: Map<
    string,
    { readonly share: number; readonly offset: number; readonly uid: string }
  >;
  /** For each partition, the furthest commit that it has sent in its generation. */
  readonly sent: Map<string, { readonly member: string; readonly offset: number }>;
}

interface Place {
  readonly partition: SimulatedPartition;
  readonly record: LoggedRecord;
}

/** What the checker asks of the world. */
export interface CheckedWorld {
  readonly nowMs: () => number;
  /** Every partition there ever was. */
  readonly partitions: () => readonly SimulatedPartition[];
  /** Another reader than this one that has the partition in the present generation, as its coordinator sees it. */
  readonly otherOwner: (reader: string, at: TopicPartition) => string | undefined;
}

/**
 * Judges what the members of a group do while they do it, against what the logs hold. Each failure is a sentence that begins with its rule:
 * R1 nothing unhandled is committed over · R2 nobody begins what is not his, and no two handle one key at a time · R3 order per key ·
 * R4 what is handed out was committed, and in the end everything was handled · R5 gaps are told, and only where there are some · R6 bounds.
 * Fencing has its limits, as in Kafka: who was thrown out may go on with what it had begun, and begins nothing after its own session has run out.
 */
export class ReadersChecker {
  readonly failures: string[] = [];
  readonly #world: CheckedWorld;
  readonly #from: 'beginning' | 'end';
  readonly #readers = new Map<string, Reader>();
  readonly #running = new Map<string, Set<Running>>();
  readonly #handled = new Set<string>();
  /** Committed so far, and checked. */
  readonly #committed = new Map<string, number>();
  /** Where the group began in each partition; without an entry at 0. */
  readonly #starts = new Map<string, number>();
  /** Partitions that a topic had when the group first committed on it: later ones are read from their beginning. */
  readonly #counts = new Map<string, number>();
  readonly #places = new Map<string, Place>();
  readonly #met = new Map<string, number>();
  /** For each key its records in order, and how many of them need no more looking at. */
  readonly #lines = new Map<string, { readonly records: LoggedRecord[]; done: number }>();
  handledCount = 0;
  repeatedCount = 0;
  /** Committed over although never handled, because retention had removed it. */
  readonly overtaken = new Set<string>();

  constructor(world: CheckedWorld, from: 'beginning' | 'end') {
    this.#world = world;
    this.#from = from;
  }

  started(reader: string, sessionTimeoutMs: number): void {
    this.#readers.set(reader, {
      sessionTimeoutMs,
      share: new Set(),
      shares: 0,
      isOut: true,
      isThrownOut: false,
      heardMs: this.#world.nowMs(),
      done: new Map(),
      sent: new Map(),
    });
  }

  /** Killed, or stopped in order: what it ran does not count any more. */
  ended(reader: string): void {
    for (const running of this.#running.values())
      for (const each of running) if (each.reader === reader) running.delete(each);
    this.#readers.delete(reader);
  }

  assigned(reader: string, share: readonly TopicPartition[], sentMs: number): void {
    const state = this.#reader(reader);
    if (!state) return;
    state.share = new Set(share.map(partitionKey));
    state.shares += 1;
    state.isOut = false;
    state.isThrownOut = false;
    state.heardMs = Math.max(state.heardMs, sentMs);
  }

  alive(reader: string, sentMs: number): void {
    const state = this.#reader(reader);
    if (state) state.heardMs = Math.max(state.heardMs, sentMs);
  }

  /** The coordinator's word has reached it: it is no member, or not of this generation. */
  toldOut(reader: string): void {
    const state = this.#reader(reader);
    if (state) state.isOut = true;
  }

  thrownOut(reader: string): void {
    const state = this.#reader(reader);
    if (state) state.isThrownOut = true;
  }

  /** @param call the number of the handler's call: events of one batch share it, in their order. */
  began(reader: string, eid: string, call: number): void {
    const state = this.#reader(reader);
    const place = this.#place(eid);
    if (!state) return;
    if (!place) return this.#fail(`R4 ${reader} was given ${eid}, which no log has`);
    const { partition, record } = place;
    const where = `${partition.uid} offset ${record.offset} (${record.key} version ${record.version})`;
    if (record.fate !== 'committed')
      this.#fail(`R4 ${reader} was given ${where}, whose transaction is ${record.fate}`);
    if (state.isOut) this.#fail(`R2 ${reader} began ${where} after it was told that it is out`);
    else if (!state.share.has(partitionKey(partition)))
      this.#fail(`R2 ${reader} began ${where}, which is not in its share`);
    const silentMs = this.#world.nowMs() - state.heardMs;
    if (silentMs > state.sessionTimeoutMs)
      this.#fail(
        `R2 ${reader} began ${where} ${Math.round(silentMs)} ms after it last heard of its group, with a session of ${state.sessionTimeoutMs} ms`,
      );
    if (this.#from === 'end' && !this.#committed.has(partition.uid))
      this.#fail(`R1 ${reader} began ${where} before the group's start was committed`);
    const done = state.done.get(record.key);
    const isBack =
      done?.share === state.shares && done.uid === partition.uid && record.offset <= done.offset;
    if (isBack) this.#fail(`R3 ${reader} went back to ${where} from offset ${done.offset}`);
    // Out, and not told yet: only fencing keeps it from harm, as long as its own session lasts.
    if (!state.isThrownOut) this.#checkOverlap(reader, record, where, call);
    this.#checkPredecessors(partition, record, where, reader, call);
    const running = this.#running.get(record.key) ?? new Set<Running>();
    running.add({ reader, record, call, share: state.shares, isReleased: false });
    this.#running.set(record.key, running);
  }

  handled(reader: string, eid: string): void {
    const state = this.#reader(reader);
    const place = this.#place(eid);
    const share = this.#stopped(reader, eid);
    if (!state || !place) return;
    const { record, partition } = place;
    // Of an earlier share only what this one has not met yet: a handler that was given up may end at any time.
    const done = state.done.get(record.key);
    if (share !== undefined && (!done || done.share <= share))
      state.done.set(record.key, { share, offset: record.offset, uid: partition.uid });
    if (this.#handled.has(eid)) this.repeatedCount += 1;
    else this.handledCount += 1;
    this.#handled.add(eid);
  }

  /** It threw: it will be tried again. */
  failed(reader: string, eid: string): void {
    this.#stopped(reader, eid);
  }

  /** Its signal was aborted. */
  released(reader: string, eid: string): void {
    const key = this.#place(eid)?.record.key;
    for (const each of this.#running.get(key ?? '') ?? [])
      if (each.reader === reader && each.record.eid === eid) each.isReleased = true;
  }

  committing(reader: string, member: string, at: TopicPartition, offset: number): void {
    const state = this.#reader(reader);
    if (!state) return;
    const key = partitionKey(at);
    const id = `${member} ${state.shares}`;
    const before = state.sent.get(key);
    if (before?.member === id && offset < before.offset)
      this.#fail(`R1 ${reader} commits ${key} at ${offset} after ${before.offset}`);
    state.sent.set(key, { member: id, offset });
  }

  committed(reader: string, partition: SimulatedPartition, offset: number): void {
    const { uid, log } = partition;
    const other = this.#world.otherOwner(reader, partition);
    if (other) this.#fail(`R2 ${reader} committed ${uid} at ${offset}, which is ${other}'s`);
    if (offset > Math.max(partition.committedTo, log.startOffset))
      this.#fail(`R1 ${reader} committed ${uid} at ${offset}, behind its end`);
    // Nobody reads on from a position of a topic that is gone.
    if (partition.isDeleted) return;
    const before = this.#committed.get(uid);
    if (before === undefined && this.#from === 'end') this.#startsAt(partition, offset);
    const from = before ?? this.#start(uid);
    for (const record of this.#between(partition, from, offset)) {
      if (this.#isDone(record)) continue;
      const where = `${uid} offset ${record.offset} (${record.key} version ${record.version})`;
      // Before its first commit the group begins where the log does, and has lost nothing.
      if (record.isRetired && record.fate === 'committed' && before !== undefined)
        this.overtaken.add(record.eid);
      else if (!record.isRemoved && record.fate !== 'aborted')
        this.#fail(
          `R1 ${reader} committed ${uid} at ${offset}, over the unhandled ${where}, ${record.fate}`,
        );
    }
    this.#committed.set(uid, Math.max(before ?? 0, offset));
  }

  /**
   * It asks for more from `offset` on.
   * @param limit events that may be fetched and not handled.
   */
  fetching(reader: string, partition: SimulatedPartition, offset: number, limit: number): void {
    const from = this.#committed.get(partition.uid) ?? this.#start(partition.uid);
    const waiting = this.#between(partition, from, offset).filter(
      (record) => record.fate === 'committed' && !record.isRemoved && !this.#isDone(record),
    );
    if (waiting.length > limit)
      this.#fail(
        `R6 ${reader} asks for more of ${partition.uid} while ${waiting.length} events wait, with a limit of ${limit}`,
      );
  }

  /** In the end: what the readers have said of gaps, against what there was. */
  checkGaps(told: { readonly retention: number; readonly versions: readonly string[] }): void {
    if (this.overtaken.size > 0 && told.retention === 0)
      this.#fail(`R5 retention overtook ${this.overtaken.size} events, and nobody was told`);
    const hasRemoved = this.#world
      .partitions()
      .some(({ log }) => log.records.some(({ isRemoved }) => isRemoved));
    const [first] = told.versions;
    if (first !== undefined && !hasRemoved) this.#fail(`R5 told of missing versions: ${first}`);
  }

  /** Partitions with an event that nobody has committed. */
  uncommitted(): string[] {
    return this.#world.partitions().flatMap((partition) => {
      const { log, uid } = partition;
      const last = log.records.findLast(
        ({ offset, fate }) => fate === 'committed' && offset < log.lastStableOffset,
      );
      const isCommitted =
        partition.isDeleted ||
        !last ||
        last.offset < Math.max(this.#committed.get(uid) ?? 0, this.#start(uid));
      return isCommitted || last.isRemoved ? [] : [`${uid} offset ${last.offset}`];
    });
  }

  /** What is still to be handled, of the topics that are there. */
  missing(): string[] {
    const missing: string[] = [];
    for (const partition of this.#world.partitions()) {
      if (partition.isDeleted) continue;
      if (this.#from === 'end' && !this.#committed.has(partition.uid)) continue;
      const { lastStableOffset } = partition.log;
      for (const record of this.#between(partition, this.#start(partition.uid), lastStableOffset))
        if (record.fate === 'committed' && !record.isRemoved && !this.#isDone(record))
          missing.push(`${partition.uid} offset ${record.offset}`);
    }
    return missing;
  }

  fail(sentence: string): void {
    this.#fail(sentence);
  }

  #startsAt({ uid, partition }: SimulatedPartition, offset: number): void {
    const topic = uid.slice(0, uid.lastIndexOf('/'));
    const ofTopic = this.#world.partitions().filter((each) => each.uid.startsWith(`${topic}/`));
    const count = this.#counts.get(topic) ?? ofTopic.length;
    this.#counts.set(topic, count);
    if (partition < count) this.#starts.set(uid, offset);
  }

  #checkOverlap(reader: string, record: LoggedRecord, where: string, call: number): void {
    for (const each of this.#running.get(record.key) ?? []) {
      if (each.call === call) continue;
      if (each.reader === reader) {
        if (each.isReleased) continue;
        this.#fail(`R2 ${reader} began ${where} while it handles offset ${each.record.offset}`);
        continue;
      }
      const other = this.#readers.get(each.reader);
      if (each.isReleased || other?.isThrownOut || other?.isOut) continue;
      this.#fail(
        `R2 ${reader} began ${where} while ${each.reader} handles offset ${each.record.offset}`,
      );
    }
  }

  /** Whoever handles a record for the first time, everything before it of its key has been handled by somebody. */
  #checkPredecessors(
    partition: SimulatedPartition,
    record: LoggedRecord,
    where: string,
    reader: string,
    call: number,
  ): void {
    this.#meet(partition);
    const line = this.#lines.get(`${partition.uid} ${record.key}`);
    if (!line) return;
    const start = this.#start(partition.uid);
    for (let index = line.done; index < line.records.length; index += 1) {
      const before = line.records[index];
      if (!before || before.offset >= record.offset) return;
      const isSettled =
        before.offset < start ||
        before.isRemoved ||
        before.fate === 'aborted' ||
        this.#isDone(before) ||
        this.#runsIn(before, call);
      if (!isSettled) {
        this.#fail(`R3 ${reader} began ${where} before offset ${before.offset} was handled`);
        return;
      }
      if (index === line.done && !this.#runsIn(before, call)) line.done += 1;
    }
  }

  #runsIn({ key, eid }: LoggedRecord, call: number): boolean {
    for (const each of this.#running.get(key) ?? [])
      if (each.call === call && each.record.eid === eid) return true;
    return false;
  }

  /** The share under which the earliest of its handlers of this event had begun. */
  #stopped(reader: string, eid: string): number | undefined {
    const key = this.#place(eid)?.record.key;
    const running = this.#running.get(key ?? '');
    for (const each of running ?? [])
      if (each.reader === reader && each.record.eid === eid) {
        running?.delete(each);
        return each.share;
      }
    return undefined;
  }

  #isDone({ eid }: LoggedRecord): boolean {
    return this.#handled.has(eid);
  }

  #start(uid: string): number {
    return this.#starts.get(uid) ?? 0;
  }

  #between(partition: SimulatedPartition, from: number, to: number): LoggedRecord[] {
    return partition.log.recordsFrom(from, to);
  }

  #place(eid: string): Place | undefined {
    const known = this.#places.get(eid);
    if (known) return known;
    for (const partition of this.#world.partitions()) this.#meet(partition);
    return this.#places.get(eid);
  }

  /** Only what is below the high watermark: what is above may still be lost. */
  #meet(partition: SimulatedPartition): void {
    const { uid, log, committedTo } = partition;
    let index = this.#met.get(uid) ?? 0;
    for (; index < log.records.length; index += 1) {
      const record = log.records[index];
      if (!record || record.offset >= committedTo) break;
      this.#places.set(record.eid, { partition, record });
      const id = `${uid} ${record.key}`;
      const line = this.#lines.get(id) ?? { records: [], done: 0 };
      line.records.push(record);
      this.#lines.set(id, line);
    }
    this.#met.set(uid, index);
  }

  #reader(name: string): Reader | undefined {
    return this.#readers.get(name);
  }

  #fail(sentence: string): void {
    this.failures.push(`${sentence} [${(this.#world.nowMs() / 1000).toFixed(3)} s]`);
  }
}
