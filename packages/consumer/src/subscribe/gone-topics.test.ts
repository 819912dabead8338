import { describe, expect, it } from 'vitest';
import { KafkaError } from '@outbound/kafka';
import { outcomeOf, subscriptionRig } from '../../test-support/subscription-rig.ts';

const unknownTopic = 3;

/** A reader that fetches nothing, since it is full and paused, of a topic that no broker knows for 25 s. */
async function pausedWithoutTopic(topicGoneLimitMs = 60_000) {
  const rig = subscriptionRig(() => undefined, { maxWaiting: { maxEvents: 2 }, topicGoneLimitMs });
  const starting = rig.start();
  const subscription = await starting;
  subscription.pause();
  await rig.append('a', 'b', 'c', 'd');
  await rig.clock.advance(1_000);
  const done = outcomeOf(subscription.done);
  rig.log.topicCode = unknownTopic;
  await rig.clock.advance(25_000);
  expect(subscription.state).toBe('waiting');
  return { ...rig, subscription, done };
}

describe('a topic that is unknown for a while', () => {
  it('and comes back as it was is no missing one, although nothing of it is fetched meanwhile', async () => {
    const { clock, log, subscription, done } = await pausedWithoutTopic();
    log.topicCode = 0;
    await clock.advance(20_000);
    expect(subscription.state).toBe('paused');
    await clock.advance(120_000);
    expect(done.state).toBe('open');
  });

  it('is asked for once more before it is missing, since the next look may be far', async () => {
    const { clock, log, done } = await pausedWithoutTopic(26_000);
    log.topicCode = 0;
    await clock.advance(120_000);
    expect(done.state).toBe('open');
  });

  it('is not missing while no broker says so', async () => {
    const { clock, log, done } = await pausedWithoutTopic();
    log.rejections.topics = Array.from(
      { length: 1_000 },
      () => new KafkaError('KAFKA_UNAVAILABLE', 'nobody answers'),
    );
    await clock.advance(120_000);
    expect(done.state).toBe('open');
    log.rejections.topics = [];
    await clock.advance(60_000);
    expect(done).toMatchObject({ state: 'rejected', error: { code: 'TOPIC_MISSING' } });
  });
});
