import { ConsumerError } from '../../errors.ts';
import type { ReadSummary } from '../../topic-reader/read-summary.ts';
import type { KafkaRecord } from '@outbound/kafka';
import type { PartitionRange } from '../../topic-reader/topic-record.ts';
import type { ReadTopic } from '../read-topic.ts';

/** One partition of a topic `t`, as it is now; tests change it while it is read. */
export class FakeTopic {
  id: string | undefined = 'first';
  records: KafkaRecord[] = [];
  low = 0n;
  end = 0n;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @param version null for a tombstone. */
  append(key: string, version: number | null): void {
    this.records.push({
      ...{ topic: 't', partition: 0, offset: this.end, timestampMs: this.#nowMs() },
      key: Buffer.from(key),
      value: version === null ? null : Buffer.from('{}'),
      headers: version === null ? {} : { data_version: String(version) },
      headerList: () => [],
    });
    this.end += 1n;
  }

  /** What compaction leaves when it has run with all tombstones in it, and they have lived their time. */
  compact(): void {
    const last = new Map(this.records.map((record) => [record.key?.toString(), record]));
    this.records = this.records.filter(
      (record) => record.value !== null && last.get(record.key?.toString()) === record,
    );
  }

  /** Nothing below `offset` is there any more. */
  retain(offset: bigint): void {
    this.low = offset;
    this.records = this.records.filter((record) => record.offset >= offset);
  }

  /** Deleted, and made again with these keys. */
  makeAgain(id: string, keys: readonly string[]): void {
    [this.id, this.records, this.low, this.end] = [id, [], 0n, 0n];
    for (const key of keys) this.append(key, 1);
  }

  /**
   * Reads record by record, as `readTopics` would; `before` runs before each, with its number over all readings.
   * Followed, it is quiet three times.
   */
  reader(before: (step: number) => void | Promise<void> = () => undefined): ReadTopic {
    let step = 0;
    return async ({ onOpen, from, onBatch, onOvertaken, onCaughtUp, onCurrent, signal, until }) => {
      const range: PartitionRange = {
        ...{ topic: 't', partition: 0, low: this.low, high: this.end },
        topicId: this.id,
      };
      await onOpen?.([range]);
      let next = from?.(range) ?? range.low;
      if (next < range.low) next = range.low;
      const isStopped = () => signal?.aborted === true;
      const { id } = this;
      const summary = {
        ...{ recordCount: 0, byteCount: 0, partitions: [range] },
      } as unknown as ReadSummary;
      const readTo = async (end: () => bigint) => {
        while (next < end() && !isStopped()) {
          await before(step++);
          if (this.id !== id || next > this.end)
            throw new ConsumerError('POSITION_UNKNOWN', 'the topic was made anew');
          if (next < this.low) {
            await onOvertaken?.({ topic: 't', partition: 0, from: next, to: this.low });
            next = this.low;
            continue;
          }
          const record = this.records.find(({ offset }) => offset >= next && offset < end());
          next = record ? record.offset + 1n : end();
          if (record) await onBatch([record]);
        }
      };
      await readTo(() => range.high);
      if (isStopped()) return summary;
      await onCaughtUp?.(summary);
      if (until === 'forever')
        for (let quiet = 0; quiet < 3 && !isStopped(); quiet += 1) {
          await before(step++);
          await onCurrent?.(this.#nowMs());
          await readTo(() => this.end);
        }
      return summary;
    };
  }
}
