import { carryingPartition } from '../../../packages/consumer/src/dead-letters/carrying-partition.ts';
import { partitionKey, type TopicPartition } from '@outbound/kafka';
import { DeadLetterRules } from './dead-letter-rules.ts';
import { GroupProgress } from './group-progress.ts';
import { LogPlaces, type Place } from './log-places.ts';
import { OperatorRules } from './operator-rules.ts';
import { RunningHandlers } from './running-handlers.ts';
import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

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
 * R4 what is handed out was committed, and in the end everything was handled · R5 gaps are told, and only where there are some · R6 bounds ·
 * R7 dead letters (`dead-letter-rules.ts`), which count as handled once their topic has taken them · R8 seek and pause (`operator-rules.ts`).
 * Fencing has its limits, as in Kafka: who was thrown out may go on with what it had begun, and begins nothing after its own session has run out.
 */
export class ReadersChecker {
  readonly failures: string[] = [];
  readonly #world: CheckedWorld;
  readonly #readers = new Map<string, Reader>();
  readonly #running = new RunningHandlers();
  readonly #places: LogPlaces;
  readonly deadLetters: DeadLetterRules;
  readonly operator: OperatorRules;
  readonly progress: GroupProgress;
  readonly #handled = new Set<string>();
  handledCount = 0;
  repeatedCount = 0;

  constructor(world: CheckedWorld, from: 'beginning' | 'end') {
    this.#world = world;
    const fail = (sentence: string): void => this.#fail(sentence);
    this.#places = new LogPlaces(world.partitions);
    this.deadLetters = new DeadLetterRules({
      places: this.#places,
      isHandled: (eid) => this.#handled.has(eid),
      unsettledBefore: (place) => this.#unsettledBefore(place),
      isCommitted: ({ partition, record }) => record.offset < this.progress.reached(partition),
      fail,
    });
    this.operator = new OperatorRules(fail);
    this.progress = new GroupProgress({
      ...{ from, fail, partitions: world.partitions },
      isDone: (record) => this.#isDone(record),
    });
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
    this.#running.endAll(reader);
    this.operator.ended(reader);
    this.#readers.delete(reader);
  }

  assigned(reader: string, share: readonly TopicPartition[], sentMs: number): void {
    const state = this.#reader(reader);
    if (!state) return;
    const names = share.map(partitionKey);
    const kept = state.isOut ? [] : names.filter((name) => state.share.has(name));
    this.operator.assigned(reader, new Set(kept));
    state.share = new Set(names);
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
    const place = this.#places.of(eid);
    if (!state) return;
    if (!place) return this.#fail(`R4 ${reader} was given ${eid}, which no log has`);
    const { partition, record } = place;
    const where = `${partition.uid} offset ${record.offset} (${record.key} version ${record.version})`;
    if (record.fate !== 'committed')
      this.#fail(`R4 ${reader} was given ${where}, whose transaction is ${record.fate}`);
    if (state.isOut) this.#fail(`R2 ${reader} began ${where} after it was told that it is out`);
    else if (
      !state.share.has(partitionKey(partition)) &&
      !state.share.has(partitionKey(this.#carrying(partition, record.key)))
    )
      this.#fail(`R2 ${reader} began ${where}, which is not in its share`);
    const silentMs = this.#world.nowMs() - state.heardMs;
    if (silentMs > state.sessionTimeoutMs)
      this.#fail(
        `R2 ${reader} began ${where} ${Math.round(silentMs)} ms after it last heard of its group, with a session of ${state.sessionTimeoutMs} ms`,
      );
    if (!this.progress.hasBegun(partition))
      this.#fail(`R1 ${reader} began ${where} before the group's start was committed`);
    const done = state.done.get(record.key);
    // An event whose dead letter is there may come again and be handled, and then its letter is.
    const reached = (done?.offset ?? -1) - (this.deadLetters.has(eid) ? 1 : 0);
    const isBack =
      done?.share === state.shares && done.uid === partition.uid && record.offset <= reached;
    if (isBack) this.#fail(`R3 ${reader} went back to ${where} from offset ${done.offset}`);
    // Out, and not told yet: only fencing keeps it from harm, as long as its own session lasts.
    if (!state.isThrownOut) this.#checkOverlap(reader, record, where, call);
    // Whoever handles a record for the first time, everything before it of its key has been dealt with by somebody.
    const before = this.#unsettledBefore(place, call);
    if (before)
      this.#fail(`R3 ${reader} began ${where} before offset ${before.offset} was handled`);
    this.deadLetters.began(reader, place, where, state.isOut || state.isThrownOut);
    this.operator.began(reader, place, where);
    this.operator.dealtWith(reader, place);
    this.#running.add({ reader, record, call, share: state.shares, isReleased: false });
  }

  handled(reader: string, eid: string): void {
    const state = this.#reader(reader);
    const place = this.#places.of(eid);
    const ended = place && this.#running.ended(reader, place.record);
    if (!state || !place) return;
    const { record, partition } = place;
    // Of an earlier share only what this one has not met yet: a handler that was given up may end at any time.
    const done = state.done.get(record.key);
    const share = ended?.isReleased === false ? ended.share : undefined;
    if (share !== undefined && (!done || done.share <= share))
      state.done.set(record.key, { share, offset: record.offset, uid: partition.uid });
    if (this.#handled.has(eid)) this.repeatedCount += 1;
    else this.handledCount += 1;
    this.#handled.add(eid);
  }

  /** It threw: it will be tried again. */
  failed(reader: string, eid: string): void {
    const place = this.#places.of(eid);
    if (place) this.#running.ended(reader, place.record);
    this.deadLetters.failed(eid);
    this.operator.failed(reader, eid);
  }

  /** The dead-letter topic has taken it. */
  deadLetter(reader: string, eid: string, reason: string): void {
    this.deadLetters.took(reader, eid, reason);
    const place = this.#places.of(eid);
    if (place) this.operator.dealtWith(reader, place);
  }

  /**
   * Somebody asks it to go on at this offset of a partition. Gives what is to be called when the reader has done so, or refused.
   */
  seeking(
    reader: string,
    partition: SimulatedPartition,
    offset: number,
  ): { readonly sought: () => void; readonly refused: () => void } {
    const isDue = (record: LoggedRecord): boolean =>
      record.fate === 'committed' && !record.isRemoved;
    const passed = partition.log.recordsFrom(0, offset).filter((record) => !this.#isDone(record));
    const refused = this.operator.seeking(passed);
    const forget = (): void => this.#forgetOrder(reader, partition);
    forget();
    return {
      refused,
      sought: () => {
        forget();
        const again = partition.log.recordsFrom(offset, partition.log.lastStableOffset);
        const isAgain = (record: LoggedRecord): boolean => isDue(record) && this.#isDone(record);
        this.operator.sought(reader, partition, again.filter(isAgain));
      },
    };
  }

  /** Whose member may begin it, too: of a partition that the topic of today has not, there is nothing but dead letters. */
  #carrying({ topic, partition }: SimulatedPartition, key: string): TopicPartition {
    const today = this.#world
      .partitions()
      .filter((each) => each.topic === topic && !each.isDeleted);
    return { topic, partition: carryingPartition({ partition, key }, today.length || undefined) };
  }

  /** Its signal was aborted. */
  released(reader: string, eid: string): void {
    const place = this.#places.of(eid);
    if (place) this.#running.released(reader, place.record);
  }

  committing(reader: string, member: string, at: TopicPartition, offset: number): void {
    const state = this.#reader(reader);
    if (!state) return;
    const key = partitionKey(at);
    const id = `${member} ${state.shares}`;
    const before = state.sent.get(key);
    const isSought = this.operator.committing(reader, at, offset);
    if (before?.member === id && offset < before.offset && !isSought)
      this.#fail(`R1 ${reader} commits ${key} at ${offset} after ${before.offset}`);
    state.sent.set(key, { member: id, offset });
  }

  committed(reader: string, partition: SimulatedPartition, offset: number): void {
    const other = this.#world.otherOwner(reader, partition);
    if (other)
      this.#fail(`R2 ${reader} committed ${partition.uid} at ${offset}, which is ${other}'s`);
    this.progress.committed(reader, partition, offset);
  }

  /** What is still to be handled, for the first time or again. */
  missing(): string[] {
    return [...this.operator.owing(), ...this.progress.missing()];
  }

  fail(sentence: string): void {
    this.#fail(sentence);
  }

  #checkOverlap(reader: string, record: LoggedRecord, where: string, call: number): void {
    for (const each of this.#running.of(record.key)) {
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

  /** @param call what is handed to the handler together with it counts, too. */
  #unsettledBefore(place: Place, call?: number): LoggedRecord | undefined {
    const start = this.progress.start(place.partition);
    return this.#places.unsettledBefore(place, (before) => {
      if (call !== undefined && this.#running.runsIn(before, call)) return 'now';
      const isSettled =
        before.offset < start ||
        before.isRemoved ||
        before.fate === 'aborted' ||
        this.#isDone(before);
      if (!isSettled) return undefined;
      return this.operator.mayLeaveOut(before.eid) ? 'now' : 'forGood';
    });
  }

  /** After a seek the partition begins anew: keys may go back, and so may what is committed. */
  #forgetOrder(reader: string, partition: SimulatedPartition): void {
    const state = this.#reader(reader);
    if (!state) return;
    state.sent.delete(partitionKey(partition));
    for (const [key, { uid }] of state.done) if (uid === partition.uid) state.done.delete(key);
  }

  #isDone({ eid }: LoggedRecord): boolean {
    return this.#handled.has(eid) || this.deadLetters.has(eid) || this.operator.mayLeaveOut(eid);
  }

  #reader(name: string): Reader | undefined {
    return this.#readers.get(name);
  }

  #fail(sentence: string): void {
    this.failures.push(`${sentence} [${(this.#world.nowMs() / 1000).toFixed(3)} s]`);
  }
}
