import { errorFromCode, kafkaCode, KafkaError, type TopicDirectory } from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import { toRelayError, type RelayError } from '../errors.ts';
import { laneKey } from './publisher.ts';
import { lastOwnRecord, type StoredRecord } from './source-tail.ts';
import type { Tail } from './tail.ts';

/** A partition, by name. */
export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

interface OffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { partition: number; errorCode: number; offset: string }[];
  }[];
}

interface FetchAnswer {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly messages: readonly StoredRecord[];
    }[];
  }[];
}

/** How far back our own last record is looked for, in offsets: a few first, since nearly always the very last record is ours. */
const lookBack = [8n, 256n, 4096n];
const fetchBytes = 1_048_576;
/** Answers without the partition that are waited through for one read: each comes after the throttle of the one before. */
const maxThrottled = 20;
const latest = -1;
const earliest = -2;
const readUncommitted = 0;

/**
 * Reads our own last record in each partition; one that is missing is unknown, which costs duplicates and never an
 * event (I7). Unknown is: none of ours within the last 4,096 offsets, a codec that is not ours to read, no leader, no permission to read.
 */
export async function readTails(
  directory: TopicDirectory,
  partitions: readonly PartitionName[],
  fingerprint: string,
  log: KafkaLog,
): Promise<Map<string, Tail>> {
  const tails = new Map<string, Tail>();
  const byLeader = new Map<number, PartitionName[]>();
  for (const name of partitions) {
    const leader = directory.leaderOf(name.topic, name.partition);
    const group = byLeader.get(leader);
    if (group) group.push(name);
    else byLeader.set(leader, [name]);
  }
  await Promise.all(
    Array.from(byLeader, async ([leader, group]) => {
      try {
        await readFromLeader(directory, leader, group, fingerprint, tails);
      } catch (thrown) {
        const { code, message } = toRelayError(thrown);
        log.warn(
          { component: 'kafka', code, error: message, partitions: group.length },
          'tails unknown: what was in flight before the start is published again',
        );
      }
    }),
  );
  return tails;
}

async function readFromLeader(
  directory: TopicDirectory,
  leader: number,
  group: readonly PartitionName[],
  fingerprint: string,
  tails: Map<string, Tail>,
): Promise<void> {
  const [ends, starts] = await Promise.all([
    listOffsets(directory, leader, group, latest),
    listOffsets(directory, leader, group, earliest),
  ]);
  const failures: RelayError[] = [];
  // One after the other: a start is rare, and memory stays at one answer.
  for (const { topic, partition } of group) {
    const key = laneKey(topic, partition);
    const start = starts.get(key);
    const end = ends.get(key);
    if (start === undefined || end === undefined || end <= start) continue;
    try {
      for (const distance of lookBack) {
        const from: bigint = end - distance > start ? end - distance : start;
        const tail = await lastOwnBetween(directory, leader, { topic, partition }, from, end, {
          fingerprint,
        });
        if (tail) tails.set(key, tail);
        if (tail || from === start) break;
      }
    } catch (thrown) {
      failures.push(toRelayError(thrown));
    }
  }
  if (failures[0]) throw failures[0];
}

/**
 * Reads `[from, end)` and gives the last record of ours in it. A broker that holds us to a quota answers at once and with nothing (KIP-219): that is
 * no end, since what is behind it may be a repetition of earlier events, which a tail from before it would leave cut short (I4).
 */
async function lastOwnBetween(
  directory: TopicDirectory,
  leader: number,
  { topic, partition }: PartitionName,
  from: bigint,
  end: bigint,
  { fingerprint }: { fingerprint: string },
): Promise<Tail | undefined> {
  let last: Tail | undefined;
  let throttled = 0;
  for (let at = from; at < end;) {
    const { responses } = await directory.cluster.link(leader).ask<FetchAnswer>('Fetch', {
      replicaId: -1,
      isolationLevel: readUncommitted,
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: fetchBytes,
      topics: [
        {
          topic,
          partitions: [{ partition, fetchOffset: at.toString(), maxBytes: fetchBytes }],
        },
      ],
    });
    const answer = responses[0]?.partitions[0];
    if (!answer) {
      throttled += 1;
      if (throttled > maxThrottled)
        throw new KafkaError(
          'KAFKA_UNAVAILABLE',
          `broker ${leader} gave nothing of ${laneKey(topic, partition)} in ${throttled} answers (a quota for reading?)`,
        );
      continue;
    }
    if (answer.errorCode !== 0) throw errorFromCode(answer.errorCode, laneKey(topic, partition));
    const { messages } = answer;
    const lastRead = messages.at(-1);
    // Compaction leaves batches without records: behind the last record there is nothing more to find.
    if (!lastRead || BigInt(lastRead.offset) < at) break;
    last = lastOwnRecord(messages, fingerprint) ?? last;
    at = BigInt(lastRead.offset) + 1n;
  }
  return last;
}

async function listOffsets(
  directory: TopicDirectory,
  leader: number,
  group: readonly PartitionName[],
  timestamp: typeof latest | typeof earliest,
): Promise<Map<string, bigint>> {
  const byTopic = new Map<string, { partition: number; timestamp: number }[]>();
  for (const { topic, partition } of group) {
    const list = byTopic.get(topic) ?? [];
    list.push({ partition, timestamp });
    byTopic.set(topic, list);
  }
  const { responses } = await directory.cluster.link(leader).ask<OffsetsAnswer>('ListOffsets', {
    replicaId: -1,
    isolationLevel: readUncommitted,
    topics: Array.from(byTopic, ([topic, partitions]) => ({ topic, partitions })),
  });
  const offsets = new Map<string, bigint>();
  for (const { topic, partitions } of responses)
    for (const { partition, errorCode, offset } of partitions) {
      if (errorCode === 0) offsets.set(laneKey(topic, partition), BigInt(offset));
      else if (kafkaCode(errorCode).means === 'KAFKA_FORBIDDEN')
        throw errorFromCode(errorCode, laneKey(topic, partition));
    }
  return offsets;
}
