import { readTopics as read } from '@outbound/consumer';
import { recordHeader } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import { contentHash } from '../history/content-hash.ts';
import type { PublishedRecord } from '../history/history.ts';

/** How to reach brokers without TLS and passwords, as those of the tests are. */
export function connectionTo(brokers: readonly string[], clientId = 'judge'): KafkaConnection {
  return {
    brokers,
    clientId,
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
  };
}

/**
 * Every record of the topics, from their beginning to their end at the time of the call, in offset order per partition: read by the package for consumers,
 * which knows nothing of the relay, keeping hashes only.
 * @throws Error if nothing comes for `silenceMs` before the end.
 */
export async function readTopics(
  brokers: readonly string[],
  topics: readonly string[],
  onRecord: (record: PublishedRecord, timestampMs: number) => void,
  silenceMs = 60_000,
): Promise<void> {
  await read({
    connection: connectionTo(brokers),
    topics,
    until: 'end',
    silenceMs,
    onBatch: (records) => {
      for (const { topic, partition, offset, key, value, headers, timestampMs } of records)
        onRecord(
          {
            topic,
            partition,
            offset: Number(offset),
            key: key?.toString() ?? null,
            eid: headers[recordHeader.id],
            valueHash: value === null ? null : contentHash(value),
            dataOp: headers[recordHeader.dataOp],
          },
          timestampMs,
        );
    },
  });
}
