import type { Kafka } from 'kafkajs';
import { ConsumerError, type ConsumerErrorCode } from '../errors.ts';

/**
 * Checks that the topics exist, without creating any: kafkajs would wait for a missing one, or make it.
 * @throws ConsumerError with the code that belongs to the first missing one; else whatever kafkajs throws when no broker answers.
 */
export async function requireTopics(
  kafka: Kafka,
  topics: readonly { readonly topic: string; readonly missing: ConsumerErrorCode }[],
): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const existing = new Set(await admin.listTopics());
    for (const { topic, missing } of topics)
      if (!existing.has(topic))
        throw new ConsumerError(
          missing,
          `topic ${topic} does not exist, or this user may not see it: create it (it is never created by reading or writing), or correct the name and its prefix`,
        );
  } finally {
    await admin.disconnect();
  }
}
