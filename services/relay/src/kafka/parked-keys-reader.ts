import { readPartition, type TopicDirectory } from '@outbound/kafka';
import type { DeclaredTopic } from '@outbound/schemas';
import { RelayError } from '../errors.ts';
import { fenceBatches } from '../poison/fence-records.ts';
import { journalRecord } from '../poison/journal-record.ts';
import type { ParkedKeys } from '../poison/parked-keys.ts';
import type { PublisherSession } from './publisher.ts';

/**
 * Fences older sessions on the topic of parked keys, by a first write if they are not, and then loads the whole topic into `parked`.
 * Unlike a tail it must be known: a parked key that was overlooked would let later events pass the one that waits. So
 * what cannot be written or read is an error, and the session opens later.
 * @throws RelayError SINK_*; KafkaError as `readPartition`.
 */
export async function loadParkedKeys(
  session: PublisherSession,
  directory: TopicDirectory,
  declared: DeclaredTopic,
  {
    parked,
    fingerprint,
    isFenced,
  }: {
    readonly parked: ParkedKeys;
    readonly fingerprint: string;
    /** The partitions refuse older sessions already. */
    readonly isFenced: boolean;
  },
): Promise<void> {
  const { topic, partitions } = declared;
  if (!isFenced) await fenceJournal(session, declared, Date.now());
  for (let partition = 0; partition < partitions; partition += 1)
    await readPartition(
      directory.cluster,
      directory.leaderOf(topic, partition),
      { topic, partition },
      (records) => {
        for (const { headers } of records) {
          const record = journalRecord(headers, fingerprint);
          if (record) parked.load(record);
        }
      },
    );
}

/** @throws RelayError SINK_*, if not every partition has taken it. */
export async function fenceJournal(
  session: PublisherSession,
  declared: DeclaredTopic,
  nowMs: number,
): Promise<void> {
  const answers = await session.send(fenceBatches(declared, nowMs));
  const stored = answers.filter((answer) => !('refusal' in answer));
  if (stored.length === declared.partitions) return;
  throw new RelayError(
    'SINK_PARTITION_UNAVAILABLE',
    `${declared.partitions - stored.length} partitions of ${declared.topic} do not take the first record of this session`,
  );
}
