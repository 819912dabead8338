import { partitionKey, type TopicPartition } from '@outbound/kafka';
import type { Place } from './log-places.ts';
import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

/** What a process was told about its partitions. */
interface Told {
  readonly paused: Set<string>;
  /** Events that have failed and may be tried again while their partition is paused: what runs goes on. */
  readonly failing: Set<string>;
  /** By partition: what a seek has promised to hand out again, as long as the partition stays ours. */
  readonly owed: Map<string, Owed>;
}

interface Owed {
  readonly records: Map<string, LoggedRecord>;
  /** The last commit before it. */
  readonly before: number | undefined;
  /** A commit has gone out that keeps the promise: until then an older one may be sent again, because it had no answer. */
  isCommitting: boolean;
}

/**
 * R8, of what is asked of a running subscription: a seek back hands out again before anything behind it is committed, a seek forward leaves
 * out what is before it and nothing else, and nothing of a paused partition is begun.
 */
export class OperatorRules {
  readonly #fail: (sentence: string) => void;
  readonly #readers = new Map<string, Told>();
  /** By reader and partition: the last commit that was sent. */
  readonly #sent = new Map<string, number>();
  /** Events that a seek may have left out, until it is known to have failed. */
  readonly #leftOut = new Set<string>();

  constructor(fail: (sentence: string) => void) {
    this.#fail = fail;
  }

  /** A seek has passed over it, or may have. */
  mayLeaveOut(eid: string): boolean {
    return this.#leftOut.has(eid);
  }

  /** @param passed what is before the offset and was not dealt with; gives what takes that back, if the seek was refused. */
  seeking(passed: readonly LoggedRecord[]): () => void {
    const added = passed.map(({ eid }) => eid).filter((eid) => !this.#leftOut.has(eid));
    for (const eid of added) this.#leftOut.add(eid);
    return () => {
      for (const eid of added) this.#leftOut.delete(eid);
    };
  }

  /** @param again what is behind the offset and was dealt with before. */
  sought(reader: string, partition: SimulatedPartition, again: readonly LoggedRecord[]): void {
    const records = new Map(again.map((record) => [record.eid, record]));
    const key = partitionKey(partition);
    const before = this.#sent.get(`${reader} ${key}`);
    this.#told(reader).owed.set(key, { records, before, isCommitting: false });
  }

  paused(reader: string, partition: SimulatedPartition, isPaused: boolean): void {
    const { paused } = this.#told(reader);
    if (isPaused) paused.add(partitionKey(partition));
    else paused.delete(partitionKey(partition));
  }

  /**
   * Another share: what a seek had promised may have gone to another member, or come back from what was committed. Of a partition that
   * stays (`kept`, by name) its commit may still be on its way, behind an older one.
   */
  assigned(reader: string, kept: ReadonlySet<string>): void {
    const { owed } = this.#told(reader);
    for (const [key, promise] of owed)
      if (kept.has(key)) owed.set(key, { ...promise, records: new Map() });
      else owed.delete(key);
  }

  failed(reader: string, eid: string): void {
    this.#told(reader).failing.add(eid);
  }

  /** A handler begins with the event, or it goes to the dead-letter topic. */
  dealtWith(reader: string, { partition, record }: Place): void {
    this.#told(reader).owed.get(partitionKey(partition))?.records.delete(record.eid);
  }

  began(reader: string, { partition, record }: Place, where: string): void {
    const { paused, failing } = this.#told(reader);
    if (paused.has(partitionKey(partition)) && !failing.has(record.eid))
      this.#fail(`R8 ${reader} began ${where}, whose partition is paused`);
  }

  /** Gives whether it is the first commit after a seek, which may be lower than those before. */
  committing(reader: string, at: TopicPartition, offset: number): boolean {
    this.#sent.set(`${reader} ${partitionKey(at)}`, offset);
    const owed = this.#told(reader).owed.get(partitionKey(at));
    if (!owed) return false;
    const over = [...owed.records.values()].find(
      (record) => record.offset < offset && !record.isRemoved,
    );
    if (over && (owed.isCommitting || offset !== owed.before))
      this.#fail(
        `R8 ${reader} commits ${partitionKey(at)} at ${offset}, over offset ${over.offset}, to which it was sought back`,
      );
    // What was committed before may be the older one, sent again: that of the seek is still to come.
    const isRepeated = offset === owed.before;
    const isFirst = !over && !owed.isCommitting && !isRepeated;
    if (isFirst) owed.isCommitting = true;
    return isFirst;
  }

  /** The reader is gone. */
  ended(reader: string): void {
    this.#readers.delete(reader);
  }

  /** What was to be handed out again and was not. */
  owing(): string[] {
    return [...this.#readers].flatMap(([reader, { owed }]) =>
      [...owed].flatMap(([key, { records }]) =>
        [...records.values()]
          .filter(({ isRemoved }) => !isRemoved)
          .map(({ offset }) => `${reader} ${key} offset ${offset} again`),
      ),
    );
  }

  #told(reader: string): Told {
    const told = this.#readers.get(reader) ?? {
      paused: new Set(),
      failing: new Set(),
      owed: new Map<string, Owed>(),
    };
    this.#readers.set(reader, told);
    return told;
  }
}
