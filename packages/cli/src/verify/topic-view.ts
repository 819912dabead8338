import { keyText } from '@outbound/kafka';
import { murmur2 } from '@outbound/contract';
import { CliError } from '../exit-codes.ts';
import { EntityIndex } from './entity-index.ts';
import { readRecord } from './read-record.ts';

/** What is looked at of a record of the topic. */
export interface SeenRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/**
 * The last record of every key, as far as the topic has been read. Read on as often as is wanted: it goes on where it
 * was.
 * A record on another partition than its key's own counts apart from the key: whatever order a reader sees the two in,
 * it is not the order of the versions.
 */
export class TopicView {
  readonly index = new EntityIndex();
  readonly #partitions: number;
  readonly #topic: string;
  readonly #next = new Map<number, bigint>();
  /** Of the topic that was read; undefined where brokers do not say. */
  #topicId: string | undefined;
  /** The last record by `partition/key`, for keys on a partition not their own. */
  readonly #misplaced = new EntityIndex();

  /** @param partitions as declared: the number that the relay divides by. */
  constructor(topic: string, partitions: number) {
    this.#topic = topic;
    this.#partitions = partitions;
  }

  /** Takes a partition's records, in the order of their offsets. */
  take(records: readonly SeenRecord[]): void {
    for (const { partition, offset, key, value } of records) {
      this.#next.set(partition, offset + 1n);
      // No broker takes one on a compacted topic.
      if (key === null) continue;
      const text = keyText(key);
      const isAtHome = (murmur2(key) & 0x7fffffff) % this.#partitions === partition;
      const index = isAtHome ? this.index : this.#misplaced;
      const entry = index.entryOf(isAtHome ? text : `${partition}/${text}`);
      index.setRecord(entry, readRecord(text, value));
    }
  }

  /**
   * Where to go on in a partition that has records `[low, high)` now.
   * @throws CliError TOPIC_CHANGED if another topic has the name, or the partition ends before what was read: it was deleted and made again, and
   * what was read is worth nothing.
   */
  nextOffset(
    partition: number,
    { low, high, topicId }: { low: bigint; high: bigint; topicId?: string | undefined },
  ): bigint {
    this.#topicId ??= topicId;
    if (topicId !== this.#topicId)
      throw new CliError(
        'TOPIC_CHANGED',
        `the topic ${this.#topic} was deleted and made again while it was read: verify again`,
      );
    const next = this.#next.get(partition) ?? low;
    if (next > high)
      throw new CliError(
        'TOPIC_CHANGED',
        `partition ${partition} of ${this.#topic} was read up to ${next} and ends at ${high} now: the topic was made again meanwhile, or lost records; verify again`,
      );
    return next > low ? next : low;
  }

  /**
   * Keys whose last record on a partition that is not theirs is a value, as `partition/key`; undefined for one whose
   * text is not kept. A tombstone there goes away by itself.
   */
  *misplaced(): Generator<string | undefined> {
    for (const entry of this.#misplaced.entries()) {
      const { form } = this.#misplaced.recordOf(entry);
      if (form === 'value' || form === 'unreadable') yield this.#misplaced.keyOf(entry);
    }
  }
}
