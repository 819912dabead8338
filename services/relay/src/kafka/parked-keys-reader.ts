import { readPartition, type TopicDirectory } from '@outbound/kafka';
import type { DeclaredTopic } from '@outbound/contract';
import { RelayError } from '../errors.ts';
import { fenceBatches } from '../poison/fence-records.ts';
import { isJournalMark, journalMark, whyMadeAnew } from '../poison/journal-mark.ts';
import { journalRecord } from '../poison/journal-record.ts';
import type { ParkedKeys } from '../poison/parked-keys.ts';
import type { LaneBatch, PublisherSession } from './publisher.ts';

/**
 * Fences older sessions on the topic of parked keys, by a first write if they are not, and then loads the whole topic into `parked`.
 * Unlike a tail it must be known: a parked key that was overlooked would let later events pass the one that waits. So
 * what cannot be written or read is an error, and the session opens later. A journal that was deleted and made again says nothing of keys that are
 * parked, so a new one gets a mark, and one without it may not have anything.
 * @throws RelayError SINK_*, SINK_JOURNAL_LOST; KafkaError as `readPartition`.
 */
export async function loadParkedKeys(
  session: PublisherSession,
  directory: TopicDirectory,
  declared: DeclaredTopic,
  {
    parked,
    fingerprint,
    isFenced,
    letterLanes,
  }: {
    readonly parked: ParkedKeys;
    readonly fingerprint: string;
    /** The partitions refuse older sessions already. */
    readonly isFenced: boolean;
    /** In how many partitions of the dead letters this source has any. */
    readonly letterLanes: () => Promise<number>;
  },
): Promise<void> {
  const { topic, partitions } = declared;
  if (!isFenced) await fenceJournal(session, declared, Date.now());
  let hasMark = false;
  let decisions = 0;
  for (let partition = 0; partition < partitions; partition += 1)
    await readPartition(
      directory.cluster,
      directory.leaderOf(topic, partition),
      { topic, partition },
      (records) => {
        for (const { key, headers } of records) {
          hasMark ||= isJournalMark(key, fingerprint);
          const record = journalRecord(headers, fingerprint);
          if (!record) continue;
          // Those of other sources say nothing of ours.
          if (record.position !== undefined) decisions += 1;
          parked.load(record);
        }
      },
    );
  if (hasMark) return;
  const why = whyMadeAnew({ hasMark, decisions, letterLanes: await letterLanes() });
  if (why !== undefined)
    throw new RelayError(
      'SINK_JOURNAL_LOST',
      `topic ${topic} was deleted and made again: ${why}; which keys are parked is not known any more, and their later events would pass those that wait`,
    );
  await sendAll(session, [journalMark(declared, fingerprint, Date.now())], 'the mark of a journal');
}

/** @throws RelayError SINK_*, if not every partition has taken it. */
export async function fenceJournal(
  session: PublisherSession,
  declared: DeclaredTopic,
  nowMs: number,
): Promise<void> {
  await sendAll(session, fenceBatches(declared, nowMs), 'the first record of this session');
}

async function sendAll(
  session: PublisherSession,
  batches: readonly LaneBatch[],
  what: string,
): Promise<void> {
  const answers = await session.send(batches);
  const stored = answers.filter((answer) => !('refusal' in answer));
  if (stored.length === batches.length) return;
  throw new RelayError(
    'SINK_PARTITION_UNAVAILABLE',
    `${batches.length - stored.length} partitions of ${batches[0]?.topic} do not take ${what}`,
  );
}
