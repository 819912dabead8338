import {
  partitionKey,
  readPartition,
  type TopicDirectory,
  type TopicPartition,
} from '@outbound/kafka';
import { recordHeader } from '@outbound/contract';
import type { KafkaLog } from '@outbound/service-kit';
import { tailOf } from './source-tail.ts';
import type { Tail } from './tail.ts';

/** How far back our own last record is looked for, in offsets, markers of transactions counted; the last time to the beginning. */
const lookBack = [16n, 512n, 8192n, undefined] as const;

/** Others may write to our topics in transactions, too; nothing of ours can come behind the end that is there now. */
const transactionsOfOthersMs = 10_000;

/**
 * The last committed record of ours in each partition. Unlike `readTails` it must be known, since what it does not
 * tell would be published a second time: a partition is read to its beginning where it has none of ours, and one that cannot be read is an error. To be
 * called when nothing of ours is open any more, and no older producer can append. Reading to the beginning takes as long as the partition is large (ADR 5 has a figure),
 * so that the log is told of it before.
 * @throws KafkaError as `readPartition`.
 */
export async function readCommittedTails(
  directory: TopicDirectory,
  partitions: readonly TopicPartition[],
  fingerprint: string,
  log: Pick<KafkaLog, 'info'>,
): Promise<Map<string, Tail>> {
  const tails = new Map<string, Tail>();
  const byLeader = new Map<number, TopicPartition[]>();
  for (const name of partitions) {
    const leader = directory.leaderOf(name.topic, name.partition);
    const group = byLeader.get(leader);
    if (group) group.push(name);
    else byLeader.set(leader, [name]);
  }
  await Promise.all(
    Array.from(byLeader, async ([leader, group]) => {
      for (const name of group) {
        const tail = await committedTail(directory, leader, name, fingerprint, log);
        if (tail) tails.set(partitionKey(name), tail);
      }
    }),
  );
  return tails;
}

async function committedTail(
  { cluster }: TopicDirectory,
  leader: number,
  name: TopicPartition,
  fingerprint: string,
  log: Pick<KafkaLog, 'info'>,
): Promise<Tail | undefined> {
  for (const distance of lookBack) {
    if (distance === undefined)
      log.info(
        { component: 'kafka', partition: partitionKey(name), lookedBack: Number(lookBack[2]) },
        'no record of ours is near the end of this partition: it is read to its beginning before anything is published',
      );
    let tail: Tail | undefined;
    const isWhole = await readPartition(
      cluster,
      leader,
      name,
      (records) => {
        for (const { headers } of records)
          tail =
            tailOf(
              { sourceLsn: headers[recordHeader.sourceLsn], eid: headers[recordHeader.id] },
              fingerprint,
            ) ?? tail;
      },
      { last: distance, waitMs: transactionsOfOthersMs },
    );
    if (tail || isWhole) return tail;
  }
  return undefined;
}
