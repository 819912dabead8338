import { partitionOf, type Route } from '@outbound/contract';
import type { EventLedger } from './event-ledger.ts';
import type { PublishedRecord } from './history.ts';
import type { Violations } from './violations.ts';

const unseen = -1;

/** Judges the records of one topic against the committed events, one record after the other. */
export class TopicJudge {
  readonly topic: string;
  readonly #route: Route;
  readonly #ledger: EventLedger;
  readonly #violations: Violations;
  readonly #isCompacted: boolean;
  /** Offset of the first record of each event; -1 if there is none. */
  readonly #firstOffset: Float64Array;
  /** Highest version that has had its first occurrence, and the last event, by key number. */
  readonly #highest: Float64Array;
  readonly #lastEvent: Int32Array;
  duplicates = 0;
  records = 0;

  constructor(
    route: Route,
    ledger: EventLedger,
    violations: Violations,
    { isCompacted }: { isCompacted: boolean },
  ) {
    this.topic = route.topic;
    this.#route = route;
    this.#ledger = ledger;
    this.#violations = violations;
    this.#isCompacted = isCompacted;
    this.#firstOffset = new Float64Array(ledger.count).fill(unseen);
    this.#highest = new Float64Array(ledger.keys.length).fill(-Infinity);
    this.#lastEvent = new Int32Array(ledger.keys.length).fill(unseen);
  }

  /** Takes a record of a committed event; the topic's records come in offset order per partition. */
  take(record: PublishedRecord, index: number): void {
    const ledger = this.#ledger;
    const keyNumber = ledger.keyNumber(index);
    this.records += 1;
    this.#judgeContent(record, index);
    this.#judgePartition(record, index);
    this.#lastEvent[keyNumber] = index;
    if (this.#firstOffset[index] !== unseen) {
      this.duplicates += 1;
      return;
    }
    this.#firstOffset[index] = record.offset;
    const version = ledger.version(index);
    const highest = this.#highest[keyNumber] ?? -Infinity;
    if (version > highest) this.#highest[keyNumber] = version;
    else if (version === highest && ledger.restates(index)) return;
    else if (!this.#isCompacted)
      this.#violate(
        'I3',
        'reordered',
        index,
        `its version ${version} was first published at offset ${record.offset} of partition ${record.partition}, behind version ${highest}`,
      );
  }

  /** Whether the event was in the topic before `endOffset` of its partition. */
  isBefore(index: number, endOffsets: ReadonlyMap<string, number>): boolean {
    const first = this.#firstOffset[index] ?? unseen;
    const partition = partitionOf(this.#ledger.key(index), this.#route.partitions);
    return first !== unseen && first < (endOffsets.get(`${this.topic}/${partition}`) ?? 0);
  }

  expects(index: number): boolean {
    return this.#route.forms[this.#ledger.dataOp(index)] !== 'skip';
  }

  /** What can only be said when all records are known: what is missing (I1), and what a rebuilder would see (I4). */
  finish(isRouted: (index: number) => boolean): void {
    const { count } = this.#ledger;
    const lastRouted = new Int32Array(this.#ledger.keys.length).fill(unseen);
    for (let index = 0; index < count; index += 1) {
      if (!isRouted(index) || !this.expects(index)) continue;
      lastRouted[this.#ledger.keyNumber(index)] = index;
      if (!this.#isCompacted && this.#firstOffset[index] === unseen)
        this.#violate(
          'I1',
          'lost',
          index,
          `version ${this.#ledger.version(index)} was committed and never published`,
        );
    }
    if (this.#route.cleanupPolicy === 'compact')
      for (const [keyNumber, wanted] of lastRouted.entries()) this.#judgeLast(keyNumber, wanted);
  }

  #judgeLast(keyNumber: number, wanted: number): void {
    const last = this.#lastEvent[keyNumber] ?? unseen;
    if (wanted === unseen || last === wanted) return;
    if (last !== unseen && this.#saysTheSame(last, wanted)) return;
    if (last === unseen) {
      // Reported as lost already; after compaction a tombstone may be gone with its key.
      if (this.#isCompacted && this.#ledger.dataOp(wanted) !== 'D')
        this.#violate(
          'I4',
          'stale',
          wanted,
          `the compacted topic holds nothing, but version ${this.#ledger.version(wanted)} is the last in the database`,
        );
      return;
    }
    this.#violate(
      'I4',
      'stale',
      wanted,
      `the last record is version ${this.#ledger.version(last)}, but the database ended with version ${this.#ledger.version(wanted)} (${this.#ledger.dataOp(wanted)})`,
    );
  }

  /** Two events of one version: a change and snapshots of it say the same, unless one is a deletion and the other is not. */
  #saysTheSame(a: number, b: number): boolean {
    const ledger = this.#ledger;
    return (
      ledger.version(a) === ledger.version(b) &&
      this.#route.forms[ledger.dataOp(a)] === this.#route.forms[ledger.dataOp(b)]
    );
  }

  #judgeContent(record: PublishedRecord, index: number): void {
    const ledger = this.#ledger;
    const form = this.#route.forms[ledger.dataOp(index)];
    const at = `offset ${record.offset} of partition ${record.partition}`;
    if (form === 'skip')
      return this.#violate(
        'I2',
        'wrong-topic',
        index,
        `${at} holds it, though ${ledger.dataOp(index)} is not routed here`,
      );
    if (record.key !== ledger.key(index))
      this.#violate('I5', 'altered', index, `${at} has the key "${record.key ?? 'null'}" instead`);
    if (record.dataOp !== ledger.dataOp(index))
      this.#violate(
        'I5',
        'altered',
        index,
        `${at} says data_op ${record.dataOp ?? 'nothing'} instead of ${ledger.dataOp(index)}`,
      );
    if (form === 'tombstone') {
      if (record.valueHash !== null)
        this.#violate(
          'I4',
          'not-a-tombstone',
          index,
          `${at} has a value, though the deletion needs a tombstone`,
        );
    } else if (record.valueHash !== ledger.hash(index))
      this.#violate('I5', 'altered', index, `the value at ${at} is not what was written`);
  }

  #judgePartition(record: PublishedRecord, index: number): void {
    const wanted = partitionOf(this.#ledger.key(index), this.#route.partitions);
    if (record.partition !== wanted)
      this.#violate(
        'I3',
        'moved-key',
        index,
        `it is in partition ${record.partition}, but its key belongs to partition ${wanted}`,
      );
  }

  #violate(
    promise: 'I1' | 'I2' | 'I3' | 'I4' | 'I5',
    kind: Parameters<Violations['add']>[0]['kind'],
    index: number,
    what: string,
  ): void {
    const eid = this.#ledger.eid(index);
    const key = this.#ledger.key(index);
    const { topic } = this;
    this.#violations.add({
      promise,
      kind,
      eid,
      topic,
      key,
      sentence: `${topic}: event ${eid} of "${key}": ${what}`,
    });
  }
}
