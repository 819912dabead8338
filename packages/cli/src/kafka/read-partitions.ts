import { readTopics, type KafkaRecord } from '@outbound/consumer';
import type { KafkaConnection } from '@outbound/service-kit';
import { kafkaCliError } from './kafka-cli-error.ts';

/** What is read, and what for. */
export interface ReadPartitions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  /** Where each partition begins; the others are left alone. */
  readonly from: ReadonlyMap<number, bigint>;
  /** `end`: up to the ends that the partitions had at the start. */
  readonly until: 'end' | 'forever';
  /** One partition's records in order of offset; the next come when this one is done. */
  readonly onRecords: (records: readonly KafkaRecord[]) => void | Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Reads some partitions of a topic without a trace in the cluster: no group, no committed offset. Resolves at the end,
 * or soon after the signal.
 * @throws CliError KAFKA_UNAVAILABLE (exit 5); ConsumerError
 */
export async function readPartitions({
  connection,
  topic,
  from,
  until,
  onRecords,
  signal,
}: ReadPartitions): Promise<void> {
  try {
    await readTopics({
      connection,
      topics: [topic],
      from: ({ partition, high }) => {
        const offset = from.get(partition);
        return offset !== undefined && offset > high ? high : offset;
      },
      until,
      signal,
      onBatch: onRecords,
    });
  } catch (thrown) {
    if (!signal.aborted) throw kafkaCliError(thrown, `reading ${topic}`, connection.brokers);
  }
}
