import {
  KafkaError,
  partitionKey,
  type OffsetAt,
  type TopicFacts,
  type TopicLog,
} from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { PartitionRange } from './topic-record.ts';

/** For so long leaders that are on the move, or brokers that are away, are waited for. */
const leaderWaitMs = 10_000;
const pauseMs = 200;
const unknownTopic = 3;
/** A broker may not have heard yet of a topic that was just made: it is asked this often before the topic is missing. */
const unknownTries = 3;
/** Codes after which asking again gives the same answer. */
const refusals: readonly number[] = [17, 29, 31, 35];

/** What is known of a topic already: a broker that describes fewer partitions of this very topic has not heard yet that it grew. */
export interface KnownTopic {
  readonly topic: string;
  /** Undefined: of whichever topic has the name. */
  readonly topicId: string | undefined;
  readonly partitions: number;
}

/** Why nothing can be told yet. */
class NotYet extends Error {}

/**
 * What each partition of the topics holds now, by topic and number. Leaders that are on the move (a topic that was just made, a broker that just stopped) are waited for, 10 s at
 * the most.
 * @throws ConsumerError TOPIC_MISSING for a topic that no broker knows, READ_REFUSED; KafkaError if no broker answers
 */
export async function topicRanges(
  log: TopicLog,
  topics: readonly string[],
  clock: Clock,
  known?: KnownTopic,
): Promise<PartitionRange[]> {
  const untilMs = clock.nowMs() + leaderWaitMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const facts = await log.topics(topics);
      for (const each of facts) {
        refuseIfMissing(each, attempt);
        refuseIfBehind(each, known);
      }
      const ranges = await rangesOf(log, facts);
      refuseIfChanged(facts, await log.topics(topics));
      return ranges;
    } catch (thrown) {
      const isPassing =
        thrown instanceof NotYet ||
        (thrown instanceof KafkaError && thrown.code === 'KAFKA_UNAVAILABLE');
      if (!isPassing) throw thrown;
      if (clock.nowMs() >= untilMs)
        throw thrown instanceof KafkaError
          ? thrown
          : new KafkaError('KAFKA_PARTITION_UNAVAILABLE', thrown.message);
      await clock.sleep(pauseMs);
    }
  }
}

function refuseIfMissing({ topic, errorCode }: TopicFacts, attempt: number): void {
  if (errorCode === 0) return;
  if (refusals.includes(errorCode))
    throw new ConsumerError(
      'READ_REFUSED',
      `reading ${topic} was refused: Kafka's error ${errorCode}; check that this user may describe and read it`,
    );
  if (errorCode !== unknownTopic || attempt < unknownTries)
    throw new NotYet(`${topic} has no leaders yet (Kafka's error ${errorCode})`);
  throw new ConsumerError(
    'TOPIC_MISSING',
    `there is no topic ${topic}: check its name and the topic prefix, or create it`,
  );
}

function refuseIfBehind({ topic, topicId, partitions }: TopicFacts, known?: KnownTopic): void {
  if (known?.topic !== topic || partitions.length >= known.partitions) return;
  if (known.topicId === undefined || known.topicId === topicId)
    throw new NotYet(
      `${topic} has ${known.partitions} partitions, and the broker that was asked knows ${partitions.length}`,
    );
}

/** Offsets are asked by name: those of a topic that was deleted and made again meanwhile would be told of the one before. */
function refuseIfChanged(before: readonly TopicFacts[], after: readonly TopicFacts[]): void {
  for (const [index, { topic, topicId }] of before.entries())
    if (after[index]?.topicId !== topicId)
      throw new NotYet(`${topic} was made again while it was asked for its offsets`);
}

async function rangesOf(log: TopicLog, facts: readonly TopicFacts[]): Promise<PartitionRange[]> {
  // First the beginnings: retention may move one past an end that was asked before.
  const lows = await offsetsAt(log, facts, 'earliest');
  const ends = await offsetsAt(log, facts, 'end');
  return facts
    .flatMap(({ topic, topicId, partitions }) =>
      partitions.map(({ partition }) => {
        const key = partitionKey({ topic, partition });
        return { topic, topicId, partition, low: lows.get(key) ?? 0n, high: ends.get(key) ?? 0n };
      }),
    )
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

async function offsetsAt(
  log: TopicLog,
  facts: readonly TopicFacts[],
  at: OffsetAt,
): Promise<ReadonlyMap<string, bigint>> {
  const offsets = new Map<string, bigint>();
  for (const [nodeId, led] of byLeader(facts))
    for (const answer of await log.offsets(nodeId, led, at)) {
      if (answer.errorCode !== 0)
        throw new NotYet(
          `${partitionKey(answer)} does not tell its offsets (Kafka's error ${answer.errorCode})`,
        );
      offsets.set(partitionKey(answer), answer.offset);
    }
  return offsets;
}

function byLeader(
  facts: readonly TopicFacts[],
): Map<number, { topic: string; partition: number }[]> {
  const led = new Map<number, { topic: string; partition: number }[]>();
  for (const { topic, partitions } of facts)
    for (const { partition, leader } of partitions) {
      if (leader < 0) throw new NotYet(`${topic}/${partition} has no leader now`);
      led.set(leader, [...(led.get(leader) ?? []), { topic, partition }]);
    }
  return led;
}
