import { Counter, Gauge, type Registry } from 'prom-client';
import type { Subscription, SubscriptionCounts, SubscriptionState } from './subscription.ts';

const states = [
  'joining',
  'running',
  'paused',
  'waiting',
  'stopping',
  'ended',
] as const satisfies readonly SubscriptionState[];

const counters = {
  handled: ['events_handled', 'Events that a handler has dealt with.'],
  ignored: ['events_ignored', 'Records of another event type, or of a version that is skipped.'],
  retried: ['handler_retries', 'Attempts of handlers beyond the first.'],
  deadLetters: ['dead_letters', 'Events sent to the dead-letter topic, the parked ones included.'],
  parked: ['events_parked', 'Events that went behind a dead letter of their key, untried.'],
  rebalances: ['rebalances', 'How often the group has shared out its partitions anew.'],
  losses: ['losses', 'How often everything was taken from this member: its session was over.'],
  commits: ['commits', 'Commits of offsets that Kafka has taken.'],
  gaps: [
    'gaps',
    'How often Kafka had removed what was to be read next: events were lost to the group.',
  ],
  versionGaps: ['version_gaps', 'How often versions of an entity were missing: events never came.'],
} as const satisfies Partial<Record<keyof SubscriptionCounts, readonly [string, string]>>;

/** The metrics of a process's subscriptions. */
export interface ConsumerMetrics {
  /**
   * Shows this subscription from now on; one that has ended keeps its counts. A later one of the same group takes its place, and its counts
   * begin again.
   */
  watch(groupId: string, subscription: Subscription): void;
}

/**
 * Registers the metrics of subscriptions, all named `consumer_…` and labelled by `group`. They are read when they are scraped and cost
 * nothing else; no question goes to a broker. What is not known is NaN, never 0 (I11): alert on it as well. Labels never hold a key.
 * @throws Error when the registry has them already: one call for each registry
 */
export function consumerMetrics(registry: Registry): ConsumerMetrics {
  const watched = new Map<string, Subscription>();
  const registers = [registry];
  for (const [count, [name, help]] of Object.entries(counters))
    new Counter({
      name: `consumer_${name}_total`,
      help,
      labelNames: ['group'],
      registers,
      collect() {
        this.reset();
        for (const [group, { counts }] of watched)
          this.inc({ group }, counts[count as keyof typeof counters]);
      },
    });
  new Gauge({
    name: 'consumer_state',
    help: 'One for the state that the subscription is in, zero for the others.',
    labelNames: ['group', 'state'],
    registers,
    collect() {
      for (const [group, subscription] of watched)
        for (const state of states)
          this.set({ group, state }, subscription.state === state ? 1 : 0);
    },
  });
  new Gauge({
    name: 'consumer_assigned_partitions',
    help: 'Partitions that this member has now.',
    labelNames: ['group'],
    registers,
    collect() {
      for (const [group, { partitions }] of watched) this.set({ group }, partitions.length);
    },
  });
  lagGauge(
    'consumer_lag_records',
    'From the first unfinished record to the end of the partition, by the last answer to a fetch; NaN when unknown.',
    ({ records }) => (records === undefined ? NaN : Number(records)),
  );
  lagGauge(
    'consumer_lag_seconds',
    'Age of the oldest record that is not finished, 0 when there is none; NaN when unknown.',
    ({ seconds }) => seconds ?? NaN,
  );
  return { watch: (groupId, subscription) => void watched.set(groupId, subscription) };

  function lagGauge(
    name: string,
    help: string,
    valueOf: (lag: ReturnType<Subscription['lagSeen']>[number]) => number,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: ['group', 'topic', 'partition'],
      registers,
      collect() {
        // Partitions that have gone are not ours to speak of.
        this.reset();
        for (const [group, subscription] of watched)
          for (const lag of subscription.lagSeen())
            this.set({ group, topic: lag.topic, partition: lag.partition }, valueOf(lag));
      },
    });
  }
}
