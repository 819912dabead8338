import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { consumerMetrics } from './consumer-metrics.ts';
import type { Subscription } from './subscription.ts';

function subscription(lag: ReturnType<Subscription['lagSeen']>): Subscription {
  return {
    done: Promise.resolve(),
    state: 'waiting',
    partitions: lag.map(({ topic, partition }) => ({ topic, partition })),
    counts: {
      finished: 12,
      handled: 9,
      ignored: 1,
      retried: 4,
      deadLetters: 2,
      parked: 1,
      rebalances: 3,
      losses: 0,
      commits: 5,
      gaps: 0,
      versionGaps: 0,
    },
    pause: () => undefined,
    resume: () => undefined,
    seek: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    lag: () => Promise.resolve([]),
    lagSeen: () => lag,
  };
}

describe('consumerMetrics', () => {
  it('shows what a subscription does and how far behind it is, and NaN for what is not known', async () => {
    const registry = new Registry();
    const metrics = consumerMetrics(registry);
    metrics.watch(
      'prices',
      subscription([
        { topic: 't', partition: 0, records: 7n, seconds: 1.5 },
        { topic: 't', partition: 1, records: undefined, seconds: undefined },
      ]),
    );
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const lines = (await registry.metrics()).split('\n');
      expect(lines).toEqual(
        expect.arrayContaining([
          'consumer_events_handled_total{group="prices"} 9',
          'consumer_dead_letters_total{group="prices"} 2',
          'consumer_assigned_partitions{group="prices"} 2',
          'consumer_state{group="prices",state="waiting"} 1',
          'consumer_state{group="prices",state="running"} 0',
          'consumer_lag_records{group="prices",topic="t",partition="0"} 7',
          'consumer_lag_seconds{group="prices",topic="t",partition="0"} 1.5',
          'consumer_lag_records{group="prices",topic="t",partition="1"} Nan',
        ]),
      );
    }
  });

  it('speaks of no partition that has gone', async () => {
    const registry = new Registry();
    const metrics = consumerMetrics(registry);
    metrics.watch('prices', subscription([{ topic: 't', partition: 0, records: 7n, seconds: 1 }]));
    await registry.metrics();
    metrics.watch('prices', subscription([]));
    expect(await registry.metrics()).not.toContain('partition="0"');
  });
});
