import type { EventType } from '@outbound/schemas';
import { createDeadLetterSender } from '../dead-letters/dead-letter-sender.ts';
import { ConsumerError } from '../errors.ts';
import { createKafkaClient } from '../kafka-client.ts';
import { Member } from './member.ts';
import { noticeResets } from './notice-resets.ts';
import { requireTopics } from './require-topics.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';

/**
 * Subscribes a member of a group to a topic, and gives the running subscription after the first join was begun. Every event is delivered at least once, events of one
 * key in order and one at a time; offsets are committed only up to the first event that is not finished. After a crash or a rebalance what was not
 * committed comes again: see `applyOnce`. Await `done`: it rejects when the subscription ends by itself.
 * @throws ConsumerError TOPIC_MISSING, DEAD_LETTER_TOPIC_MISSING, SUBSCRIPTION_INVALID; whatever kafkajs throws when no broker answers.
 */
export async function subscribe<Type extends EventType>(
  options: SubscribeOptions<Type>,
): Promise<Subscription> {
  checkOptions(options);
  const { connection, topic, log, onPoison = { then: 'stop' } } = options;
  let onReset: (fields: object) => void = () => undefined;
  const kafka = createKafkaClient(
    connection,
    noticeResets(log, (fields) => onReset(fields)),
  );
  await requireTopics(kafka, [
    { topic, missing: 'TOPIC_MISSING' },
    ...(onPoison.then === 'dead-letter'
      ? [{ topic: onPoison.topic, missing: 'DEAD_LETTER_TOPIC_MISSING' as const }]
      : []),
  ]);
  const sender =
    onPoison.then === 'dead-letter'
      ? createDeadLetterSender({ connection, topic: onPoison.topic, log })
      : undefined;
  const member = new Member(options, kafka, sender);
  onReset = (fields) => member.lostEvents(fields);
  await member.start();
  return member;
}

function checkOptions<Type extends EventType>(options: SubscribeOptions<Type>): void {
  const refuse = (why: string): never => {
    throw new ConsumerError('SUBSCRIPTION_INVALID', why);
  };
  const {
    groupId,
    concurrency = 1,
    sessionTimeoutMs = 30_000,
    rebalanceTimeoutMs = 60_000,
  } = options;
  if (groupId === '') refuse('groupId is empty: name the group after the consumer');
  if (!Number.isInteger(concurrency) || concurrency < 1)
    refuse(`concurrency ${concurrency} must be a whole number from 1`);
  if (rebalanceTimeoutMs < sessionTimeoutMs)
    refuse(
      `rebalanceTimeoutMs ${rebalanceTimeoutMs} must not be below sessionTimeoutMs ${sessionTimeoutMs}`,
    );
  if (options.onPoison?.then === 'dead-letter' && options.onPoison.topic === options.topic)
    refuse('the dead-letter topic is the topic itself: poison would go round for ever');
}
