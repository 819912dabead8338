import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

/** Where an event stands. */
export interface Place {
  readonly partition: SimulatedPartition;
  readonly record: LoggedRecord;
}

/** Finds events in every log there ever was, by their ids and by their keys. Looks only at what is below the high watermark: what is above may still be lost. */
export class LogPlaces {
  readonly #partitions: () => readonly SimulatedPartition[];
  readonly #places = new Map<string, Place>();
  readonly #met = new Map<string, number>();
  /** For each key its records in order, and how many of them need no more looking at. */
  readonly #lines = new Map<string, { readonly records: LoggedRecord[]; done: number }>();

  constructor(partitions: () => readonly SimulatedPartition[]) {
    this.#partitions = partitions;
  }

  of(eid: string): Place | undefined {
    const known = this.#places.get(eid);
    if (known) return known;
    for (const partition of this.#partitions()) this.#meet(partition);
    return this.#places.get(eid);
  }

  /**
   * The first record before this one of its key that is not settled. What is settled `forGood` is not asked for again.
   */
  unsettledBefore(
    { partition, record }: Place,
    settled: (before: LoggedRecord) => 'forGood' | 'now' | undefined,
  ): LoggedRecord | undefined {
    this.#meet(partition);
    const line = this.#lines.get(`${partition.uid} ${record.key}`);
    if (!line) return undefined;
    for (let index = line.done; index < line.records.length; index += 1) {
      const before = line.records[index];
      if (!before || before.offset >= record.offset) return undefined;
      const how = settled(before);
      if (!how) return before;
      if (index === line.done && how === 'forGood') line.done += 1;
    }
    return undefined;
  }

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
}
