import type { ConsumedEvent } from '../../../packages/consumer/src/events/consumed-event.ts';
import { subscribeWith } from '../../../packages/consumer/src/subscribe/subscribe-with.ts';
import { partitionKey, type KafkaReads } from '@outbound/kafka';
import type { EventType } from '@outbound/schemas';
import type { Clock } from '@outbound/service-kit';
import { itemChange } from '../workload.ts';
import type { RunningReader } from './reader-host.ts';

/** What a process's core is made of. */
export interface ReaderAssembly {
  readonly kafka: KafkaReads;
  readonly clock: Clock;
  readonly random: () => number;
  readonly topic: string;
  readonly from: 'beginning' | 'end';
  readonly groupInstanceId: string | undefined;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly isBatched: boolean;
  readonly concurrency: number;
  readonly maxEvents: number;
  readonly commitIntervalMs: number;
  readonly handle: (call: {
    readonly eids: readonly string[];
    readonly signal: AbortSignal;
  }) => Promise<void> | void;
  /** The consumer says that versions are missing. */
  readonly onVersionGap: (what: string) => void;
  readonly trace: (what: string) => void;
}

/** The production core of `subscribe` over the simulated ports. */
export async function startSubscription(assembly: ReaderAssembly): Promise<RunningReader> {
  const { kafka, clock, random, groupInstanceId, handle, trace, topic } = assembly;
  const told = (fields: object, sentence: string): void => {
    trace('error' in fields ? `${sentence}: ${String(fields.error)}` : sentence);
  };
  const options = {
    groupId: 'readers',
    ...(groupInstanceId === undefined ? {} : { groupInstanceId }),
    log: { info: told, warn: told, error: told },
    from: assembly.from,
    retry: { attempts: 1_000_000, baseMs: 10, maxMs: 200 },
    concurrency: assembly.concurrency,
    maxWaiting: { maxEvents: assembly.maxEvents, maxBytes: 1 << 20 },
    commitIntervalMs: assembly.commitIntervalMs,
    sessionTimeoutMs: assembly.sessionTimeoutMs,
    rebalanceTimeoutMs: assembly.rebalanceTimeoutMs,
    onVersionGap: ({ key, expected, found, ...at }: VersionGapFacts) =>
      assembly.onVersionGap(
        `${partitionKey(at)} offset ${at.offset} (${key} version ${found}), expected ${expected}`,
      ),
  };
  const subscribed = { topic, eventType: itemChange };
  const subscription = await subscribeWith(
    { kafka, clock, random },
    assembly.isBatched
      ? {
          ...options,
          ...subscribed,
          handleBatch: (events: readonly Event[], { signal }) =>
            handle({ eids: events.map(({ eid }) => eid), signal }),
          batch: { maxEvents: 7, maxBytes: 1 << 20, maxWaitMs: 30 },
        }
      : {
          ...options,
          ...subscribed,
          handle: ({ eid }: Event, { signal }) => handle({ eids: [eid], signal }),
        },
  );
  return {
    done: subscription.done,
    stop: () => subscription.stop(),
    gaps: () => subscription.counts.gaps,
  };
}

type Event = ConsumedEvent<EventType>;

interface VersionGapFacts {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string;
  readonly expected: number;
  readonly found: number;
}
