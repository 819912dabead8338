import type { Route } from '@outbound/contract';
import { EventLedger } from './event-ledger.ts';
import type {
  CommittedEvent,
  ConfirmedObservation,
  FinalRow,
  History,
  HistoryRules,
  PublishedRecord,
} from './history.ts';
import { TopicJudge } from './topic-judge.ts';
import { Violations, type Violation, type ViolationKind } from './violations.ts';

/** What came out of a history. */
export interface Verdict {
  /** Empty if every promise was kept; at most 20 of a kind. */
  readonly violations: readonly Violation[];
  /** How many of each kind there were. */
  readonly counts: ReadonlyMap<ViolationKind, number>;
  readonly committed: number;
  readonly records: number;
  readonly duplicates: number;
}

/** Judges a whole history. For one that does not fit into memory, feed a `HistoryChecker`. */
export function checkHistory(history: History): Verdict {
  const checker = new HistoryChecker(history);
  for (const event of history.committed) checker.committed(event);
  for (const eid of history.rolledBack ?? []) checker.rolledBack(eid);
  for (const record of history.records) checker.record(record);
  for (const observation of history.confirmed ?? []) checker.confirmed(observation);
  return checker.finish(history.finalRows);
}

/**
 * Judges I1–I7 for simulations, system tests and benchmarks alike: it sees only what a database and an independent consumer show.
 * Events first, in commit order; then records, in offset order per partition; then positions; then `finish`.
 *
 * I3 as the promise has it: per topic and key, the *first* occurrences of versions rise. A version that was there before is a
 * duplicate and may stand anywhere but last on a compacted topic (I4). That there is no gap follows from I1 and I3 together.
 */
export class HistoryChecker {
  readonly #rules: HistoryRules;
  readonly #ledger = new EventLedger();
  readonly #violations = new Violations();
  readonly #rolledBack = new Set<string>();
  readonly #judges = new Map<string, TopicJudge>();
  readonly #unknown: PublishedRecord[] = [];
  #records = 0;
  /** How many events were confirmed by a position and judged for it. */
  #confirmed = 0;

  constructor(rules: HistoryRules) {
    this.#rules = rules;
  }

  /** @throws Error if the id was committed before, or records have been taken already. */
  committed(event: CommittedEvent): void {
    if (this.#judges.size > 0) throw new Error('the checker takes all events before any record');
    this.#ledger.add(event);
  }

  rolledBack(eid: string): void {
    this.#rolledBack.add(eid);
  }

  record(record: PublishedRecord): void {
    this.#records += 1;
    const { eid, topic } = record;
    const index = eid === undefined ? undefined : this.#ledger.find(eid);
    if (index === undefined) return this.#uncommitted(record);
    const judge = this.#judge(topic);
    if (!judge || !this.#isRouted(index, topic)) {
      const key = this.#ledger.key(index);
      return this.#violations.add({
        promise: 'I2',
        kind: 'wrong-topic',
        eid,
        topic,
        key,
        sentence: `${topic}: event ${eid} is not routed here`,
      });
    }
    judge.take(record, index);
  }

  /**
   * The commits before the confirmed position must have been published by then. To be called after all records, in order of time: what
   * was published once stays published, so each event is looked at once.
   */
  confirmed({ confirmedLsn, endOffsets }: ConfirmedObservation): void {
    for (; this.#confirmed < this.#ledger.count; this.#confirmed += 1) {
      const index = this.#confirmed;
      const endLsn = this.#ledger.commitEndLsn(index);
      if (endLsn === undefined) continue;
      if (endLsn > confirmedLsn) return;
      for (const { topic } of this.#routes(index)) {
        const judge = this.#judge(topic);
        if (!judge?.expects(index) || judge.isBefore(index, endOffsets)) continue;
        const eid = this.#ledger.eid(index);
        this.#violations.add({
          promise: 'I6',
          kind: 'acknowledged-early',
          eid,
          topic,
          sentence: `the slot confirmed ${confirmedLsn.toString(16)} while event ${eid}, committed before, was not in ${topic}`,
        });
      }
    }
  }

  finish(finalRows: Iterable<FinalRow> = []): Verdict {
    for (const routes of this.#rules.routes.values())
      for (const { topic } of routes) this.#judge(topic);
    for (const judge of this.#judges.values())
      judge.finish((index) => this.#isRouted(index, judge.topic));
    for (const row of finalRows) this.#judgeFinalRow(row);
    this.#judgeUnknown();
    let duplicates = 0;
    for (const judge of this.#judges.values()) duplicates += judge.duplicates;
    const { allowedDuplicates } = this.#rules;
    if (duplicates > allowedDuplicates)
      this.#violations.add({
        promise: 'I7',
        kind: 'too-many-duplicates',
        sentence: `${duplicates} records were published again, ${allowedDuplicates} may be`,
      });
    return {
      violations: this.#violations.kept,
      counts: this.#violations.counts,
      committed: this.#ledger.count,
      records: this.#records,
      duplicates,
    };
  }

  #uncommitted(record: PublishedRecord): void {
    const { eid, topic, partition, offset } = record;
    const at = `offset ${offset} of partition ${partition}`;
    if (eid !== undefined && this.#rolledBack.has(eid))
      this.#violations.add({
        promise: 'I2',
        kind: 'rolled-back',
        eid,
        topic,
        sentence: `${topic}: ${at} holds event ${eid}, whose transaction was rolled back`,
      });
    else {
      if (this.#unknown.length < 100) this.#unknown.push(record);
      this.#violations.add({
        promise: 'I2',
        kind: 'ghost',
        eid,
        topic,
        sentence: `${topic}: ${at} holds event ${eid ?? 'without an id'}, which was never committed`,
      });
    }
  }

  /** A ghost with the content of a committed event is that event under another id: a consumer could not know it as a duplicate. */
  #judgeUnknown(): void {
    if (this.#unknown.length === 0) return;
    for (let index = 0; index < this.#ledger.count; index += 1)
      for (const record of this.#unknown) {
        if (record.key !== this.#ledger.key(index) || record.valueHash !== this.#ledger.hash(index))
          continue;
        const eid = this.#ledger.eid(index);
        this.#violations.add({
          promise: 'I7',
          kind: 'other-eid',
          eid,
          topic: record.topic,
          key: record.key,
          sentence: `${record.topic}: event ${eid} was published under the id ${record.eid ?? 'none'}`,
        });
      }
  }

  /** The row in the database is the last event of its aggregate: else the history of commits is not the database's. */
  #judgeFinalRow({ aggregateId, version, isDeleted }: FinalRow): void {
    const keyNumber = this.#ledger.findKey(aggregateId);
    const last = keyNumber === undefined ? -1 : this.#ledger.lastOfKey(keyNumber);
    const isRight =
      last >= 0 &&
      this.#ledger.version(last) === version &&
      (this.#ledger.dataOp(last) === 'D') === isDeleted;
    if (isRight) return;
    const ended =
      last < 0
        ? 'there is no event'
        : `the last event is version ${this.#ledger.version(last)} (${this.#ledger.dataOp(last)})`;
    this.#violations.add({
      promise: 'I4',
      kind: 'stale',
      key: aggregateId,
      sentence: `"${aggregateId}" is at version ${version}${isDeleted ? ', deleted,' : ''} in the database, but ${ended}`,
    });
  }

  #routes(index: number): readonly Route[] {
    return this.#rules.routes.get(this.#ledger.types[this.#ledger.typeNumber(index)] ?? '') ?? [];
  }

  #isRouted(index: number, topic: string): boolean {
    return this.#routes(index).some((route) => route.topic === topic);
  }

  #judge(topic: string): TopicJudge | undefined {
    let judge = this.#judges.get(topic);
    if (judge) return judge;
    for (const routes of this.#rules.routes.values()) {
      const route = routes.find((each) => each.topic === topic);
      if (!route) continue;
      const isCompacted = this.#rules.compactedTopics?.has(topic) ?? false;
      judge = new TopicJudge(route, this.#ledger, this.#violations, { isCompacted });
      this.#judges.set(topic, judge);
      return judge;
    }
    return undefined;
  }
}
