import type { TopicLog } from '@outbound/kafka';
import { KafkaError } from '@outbound/kafka';
import { backoffMs, type Clock } from '@outbound/service-kit';
import { ConsumerError, type ConsumerErrorCode } from '../errors.ts';

const unknownTopicOrPartition = 3;
const tries = 8;
/** A broker that was just started, or a topic that was just made, is not known everywhere at once. */
const missingTries = 3;

/**
 * Checks that the topics exist, without creating any. Tries again for some 15 s while no broker answers: who starts beside Kafka may be
 * early, and who has the wrong address wants to know.
 * @throws ConsumerError with the code that belongs to the first missing one; KafkaError when no broker answers, or Kafka refuses us.
 */
export async function requireTopics(
  {
    log,
    clock,
    random,
  }: { readonly log: TopicLog; readonly clock: Clock; readonly random: () => number },
  topics: readonly { readonly topic: string; readonly missing: ConsumerErrorCode }[],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const facts = await log.topics(topics.map(({ topic }) => topic));
      const absent = topics.find(
        ({ topic }) =>
          facts.find((each) => each.topic === topic)?.errorCode === unknownTopicOrPartition,
      );
      if (!absent) return;
      if (attempt >= missingTries)
        throw new ConsumerError(
          absent.missing,
          `topic ${absent.topic} does not exist, or this user may not see it: create it (it is never created by reading or writing), or correct the name and its prefix`,
        );
    } catch (error) {
      const heals = error instanceof KafkaError && error.code === 'KAFKA_UNAVAILABLE';
      if (!heals || attempt >= tries) throw error;
    }
    await clock.sleep(backoffMs({ attempt, baseMs: 200, maxMs: 3_000, random }));
  }
}

/** Whether a broker knows the topic now; undefined if none says so, for whatever reason. */
export async function isTopicThere(log: TopicLog, topic: string): Promise<boolean | undefined> {
  try {
    const [facts] = await log.topics([topic]);
    if (facts?.errorCode === unknownTopicOrPartition) return false;
    return facts?.errorCode === 0 ? true : undefined;
  } catch {
    return undefined;
  }
}
