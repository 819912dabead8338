import type { EventType } from '@outbound/contract';
import { ConsumerError } from '../errors.ts';
import { GroupSubscription } from './group-subscription.ts';
import { requireTopics } from './require-topics.ts';
import type { SubscriptionOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';
import type { SubscriptionPorts } from './subscription-ports.ts';
import { onTopic, type TopicHandling } from './topic-handling.ts';

/**
 * `subscribe` over given ports: the same core for production and simulation. Whoever gives the ports closes them, after `done`, or by
 * `ports.close`.
 * @throws ConsumerError TOPIC_MISSING, DEAD_LETTER_TOPIC_MISSING, SUBSCRIPTION_INVALID; KafkaError when no broker answers, or Kafka refuses
 * us
 */
export async function subscribeWith<Type extends EventType>(
  ports: SubscriptionPorts,
  options: SubscriptionOptions<Type>,
): Promise<Subscription> {
  const handlings = checkOptions(options);
  const { onPoison = { then: 'stop' } } = options;
  if (onPoison.then === 'dead-letter' && !ports.deadLetters)
    refuse('dead letters are declared, and nobody is given who sends them');
  await requireTopics({ ...ports, log: ports.kafka.log }, [
    ...handlings.map(({ topic }) => ({ topic, missing: 'TOPIC_MISSING' as const })),
    ...(onPoison.then === 'dead-letter'
      ? [{ topic: onPoison.topic, missing: 'DEAD_LETTER_TOPIC_MISSING' as const }]
      : []),
  ]);
  const subscription = new GroupSubscription(ports, options, handlings);
  subscription.start();
  return subscription;
}

/** Gives the topics of the options. @throws ConsumerError SUBSCRIPTION_INVALID for options that contradict each other. */
export function checkOptions<Type extends EventType>(
  options: SubscriptionOptions<Type>,
): readonly TopicHandling[] {
  const handlings = options.topics ?? [onTopic(options)];
  const {
    groupId,
    groupInstanceId,
    concurrency = 1,
    sessionTimeoutMs = 30_000,
    rebalanceTimeoutMs = 60_000,
    onPoison,
  } = options;
  if (groupId === '') refuse('groupId is empty: name the group after the consumer');
  if (groupInstanceId === '') refuse('groupInstanceId is empty: leave it out, or name the process');
  if (handlings.length === 0) refuse('topics is empty: name at least one');
  const names = handlings.map(({ topic }) => topic);
  const repeated = names.find((topic, index) => names.indexOf(topic) < index);
  if (repeated !== undefined) refuse(`topic ${repeated} is named twice`);
  if (!Number.isInteger(concurrency) || concurrency < 1)
    refuse(`concurrency ${concurrency} must be a whole number from 1`);
  if (rebalanceTimeoutMs < sessionTimeoutMs)
    refuse(
      `rebalanceTimeoutMs ${rebalanceTimeoutMs} must not be below sessionTimeoutMs ${sessionTimeoutMs}`,
    );
  if (onPoison?.then === 'dead-letter' && names.includes(onPoison.topic))
    refuse('the dead-letter topic is one of the topics itself: poison would go round for ever');
  return handlings;
}

function refuse(why: string): never {
  throw new ConsumerError('SUBSCRIPTION_INVALID', why);
}
