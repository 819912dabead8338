import { partitionKey, type TopicLog, type TopicPartition } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { lagOf, type PartitionLag } from './lag.ts';
import type { PartitionWork } from './partition-work.ts';

/** An older answer of a broker says nothing of the lag. */
const seenForMs = 30_000;

/** How far behind each partition is, by the last answers to fetches. */
export function seenLag(works: readonly PartitionWork[], clock: Clock): readonly PartitionLag[] {
  const sinceMs = clock.nowMs() - seenForMs;
  return works.map((work) => {
    const seen = work.highWatermark;
    return lag(work, seen && seen.atMs >= sinceMs ? seen.offset : undefined, clock);
  });
}

/**
 * The same, asked of the leaders now. Of a partition whose leader cannot say its end the lag is unknown, never 0.
 * @throws KafkaError when no broker answers
 */
export async function askedLag(
  log: TopicLog,
  works: () => readonly PartitionWork[],
  clock: Clock,
): Promise<readonly PartitionLag[]> {
  const ends = await askEnds(log, works());
  return works().map((work) => lag(work, ends.get(partitionKey(work)), clock));
}

function lag(
  { topic, partition, tracker: { position, oldestMs } }: PartitionWork,
  end: bigint | undefined,
  clock: Clock,
): PartitionLag {
  return { topic, partition, ...lagOf({ position, end, oldestMs }, clock.wallMs()) };
}

async function askEnds(
  log: TopicLog,
  partitions: readonly TopicPartition[],
): Promise<ReadonlyMap<string, bigint>> {
  const ends = new Map<string, bigint>();
  if (partitions.length === 0) return ends;
  const topics = await log.topics([...new Set(partitions.map(({ topic }) => topic))]);
  const byLeader = new Map<number, TopicPartition[]>();
  for (const { topic, partition } of partitions) {
    const facts = topics.find((each) => each.topic === topic);
    const leader = facts?.partitions[partition]?.leader ?? -1;
    const led = byLeader.get(leader);
    if (led) led.push({ topic, partition });
    else if (leader >= 0) byLeader.set(leader, [{ topic, partition }]);
  }
  await Promise.all(
    Array.from(byLeader, async ([leader, led]) => {
      for (const { topic, partition, errorCode, offset } of await log.offsets(leader, led, 'end'))
        if (errorCode === 0) ends.set(partitionKey({ topic, partition }), offset);
    }),
  );
  return ends;
}
