import { openKafkaReads } from '@outbound/kafka';
import type { EventType } from '@outbound/contract';
import { systemClock } from '@outbound/service-kit';
import { createDeadLetterSender } from '../dead-letters/dead-letter-sender.ts';
import { openKafkaRedrive } from '../dead-letters/kafka-redrive.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { checkOptions, subscribeWith } from './subscribe-with.ts';
import type { Subscription } from './subscription.ts';

/**
 * Subscribes a member of a group to one topic or several, and gives the running subscription once the topics were seen and it has begun to
 * join. Every event is delivered at least once, events of one key in order and one at a time; offsets are committed only up to the first
 * event that is not finished. After a crash, or when a partition goes to another member, what was not committed comes again: see
 * `applyOnce`. Await `done`: it rejects when the subscription ends by itself.
 * @throws ConsumerError TOPIC_MISSING, DEAD_LETTER_TOPIC_MISSING, SUBSCRIPTION_INVALID; KafkaError when no broker answers, or Kafka refuses
 * us
 */
export async function subscribe<Type extends EventType>(
  options: SubscribeOptions<Type>,
): Promise<Subscription> {
  checkOptions(options);
  const { connection, log, onPoison = { then: 'stop' } } = options;
  const kafka = await openKafkaReads(connection, log);
  const sender =
    onPoison.then === 'dead-letter'
      ? createDeadLetterSender({ connection, topic: onPoison.topic, log })
      : undefined;
  const redrive =
    onPoison.then === 'dead-letter'
      ? await openKafkaRedrive({ connection, topic: onPoison.topic, log })
      : undefined;
  const close = async (): Promise<void> => {
    await Promise.all([kafka.close(), sender?.close(), redrive?.close()]);
  };
  try {
    return await subscribeWith(
      {
        kafka,
        clock: systemClock,
        random: Math.random,
        ...(sender ? { deadLetters: sender } : {}),
        ...(redrive ? { redrive } : {}),
        close,
      },
      options,
    );
  } catch (error) {
    await close();
    throw error;
  }
}
