import { partitionOf, recordHeader } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readPartitions } from '../kafka/read-partitions.ts';
import type { ErasedEntity } from './erase-entity.ts';

/** What was deleted of a change topic. */
export interface DeletedHistory {
  readonly topic: string;
  readonly partition: number;
  /** Records, by their offsets: those of other entities are the most. */
  readonly records: bigint;
}

/**
 * Deletes the beginning of the partition that has an entity's changes, up to its deletion, which stays: nobody can read the data any more, and not what others did before it
 * either. Undefined if the topic does not have the deletion, so that nothing says where to stop; then nothing was deleted.
 * @throws CliError KAFKA_UNAVAILABLE and others; what the signal says, if it is aborted
 */
export async function deleteHistory(
  source: {
    readonly connection: KafkaConnection;
    readonly admin: Pick<KafkaAdmin, 'topicRanges' | 'offsetsAt' | 'deleteRecords'>;
    readonly topic: string;
    readonly signal: AbortSignal;
  },
  id: string,
  { version, at }: ErasedEntity,
): Promise<DeletedHistory | undefined> {
  const { connection, admin, topic, signal } = source;
  const ranges = await admin.topicRanges(topic);
  const partition = partitionOf(id, ranges.length);
  const low = ranges.find((range) => range.partition === partition)?.low ?? 0n;
  // Records have the time of their commit, by the database's clock.
  const starts = await admin.offsetsAt(topic, at.getTime());
  const start = starts.find((each) => each.partition === partition)?.offset ?? low;
  const key = Buffer.from(id);
  let deletion: bigint | undefined;
  await readPartitions({
    connection,
    topic,
    from: new Map([[partition, start]]),
    until: 'end',
    signal,
    onRecords: (records) => {
      for (const record of records)
        if (
          deletion === undefined &&
          record.key?.equals(key) === true &&
          record.headers[recordHeader.dataVersion] === String(version)
        )
          deletion = record.offset;
    },
  });
  signal.throwIfAborted();
  if (deletion === undefined) return undefined;
  await admin.deleteRecords(topic, [{ partition, offset: deletion }]);
  return { topic, partition, records: deletion > low ? deletion - low : 0n };
}
