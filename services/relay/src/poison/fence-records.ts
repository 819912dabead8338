import type { DeclaredTopic } from '@outbound/contract';
import type { LaneBatch } from '../kafka/publisher.ts';
import { noLsn } from '../wal/lsn.ts';

/** The key of the records by which a session fences; they say nothing about any aggregate, and compaction keeps one. */
const fenceKey = 'session';

/**
 * A batch for each partition of the topic of parked keys, to be written before it is read: from its first write on, a
 * session's predecessors can append nothing there. Else a decision of a relay that knew less could arrive after its
 * successor has read the journal and decided otherwise, and would be taken for the last word at the next start.
 */
export function fenceBatches({ topic, partitions }: DeclaredTopic, nowMs: number): LaneBatch[] {
  return Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    records: [
      {
        ...{ topic, partition, key: fenceKey, value: null, headers: {} },
        position: { commitLsn: noLsn, index: 0 },
        timestampMs: nowMs,
      },
    ],
  }));
}
