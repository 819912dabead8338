import type { ConsumedEvent } from '../../../packages/consumer/src/events/consumed-event.ts';
import type { DeadLetterSender } from '../../../packages/consumer/src/dead-letters/dead-letter-sender.ts';
import type { ParkedKeys } from '../../../packages/consumer/src/dead-letters/parked-keys.ts';
import type { RedrivePort } from '../../../packages/consumer/src/dead-letters/redrive-port.ts';
import type { FailurePolicy } from '../../../packages/consumer/src/subscribe/poison-desk.ts';
import {
  onTopic,
  type TopicHandling,
} from '../../../packages/consumer/src/subscribe/topic-handling.ts';
import { subscribeWith } from '../../../packages/consumer/src/subscribe/subscribe-with.ts';
import { partitionKey, type KafkaReads } from '@outbound/kafka';
import type { EventType } from '@outbound/contract';
import type { Clock } from '@outbound/service-kit';
import { itemChange } from '../workload.ts';
import type { RunningReader } from './reader-host.ts';

/** What a process's core is made of. */
export interface ReaderAssembly {
  readonly kafka: KafkaReads;
  readonly clock: Clock;
  readonly random: () => number;
  /** One, or several in one subscription. */
  readonly topics: readonly string[];
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
  /** With these, what fails for good is parked; without them it is tried for ever. */
  readonly deadLetters:
    | {
        readonly sender: DeadLetterSender;
        readonly keys: ParkedKeys;
        readonly attempts: number;
        readonly redrive?: RedrivePort | undefined;
      }
    | undefined;
  readonly trace: (what: string) => void;
}

/** Where dead letters go; it is there, and what it holds is known to `SimulatedDeadLetters`. */
export const deadLetterTopic = 'dead-letters';

/** The production core of `subscribe` over the simulated ports. */
export async function startSubscription(assembly: ReaderAssembly): Promise<RunningReader> {
  const { kafka, clock, random, groupInstanceId, handle, trace, topics, deadLetters } = assembly;
  const told = (fields: object, sentence: string): void => {
    trace('error' in fields ? `${sentence}: ${String(fields.error)}` : sentence);
  };
  const options = {
    groupId: 'readers',
    ...(groupInstanceId === undefined ? {} : { groupInstanceId }),
    log: { info: told, warn: told, error: told },
    from: assembly.from,
    retry: { attempts: deadLetters?.attempts ?? 1_000_000, baseMs: 10, maxMs: 200 },
    ...(deadLetters ? { onPoison: parking(deadLetters.keys) } : {}),
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
  const handlingOf = (topic: string): TopicHandling =>
    assembly.isBatched
      ? onTopic({
          ...{ topic, eventType: itemChange },
          handleBatch: (events: readonly Event[], { signal }) =>
            handle({ eids: events.map(({ eid }) => eid), signal }),
          batch: { maxEvents: 7, maxBytes: 1 << 20, maxWaitMs: 30 },
        })
      : onTopic({
          ...{ topic, eventType: itemChange },
          handle: ({ eid }: Event, { signal }) => handle({ eids: [eid], signal }),
        });
  const ports = {
    ...{ kafka, clock, random },
    ...(deadLetters ? { deadLetters: deadLetters.sender } : {}),
    ...(deadLetters?.redrive ? { redrive: deadLetters.redrive } : {}),
  };
  const subscription = await subscribeWith(ports, { ...options, topics: topics.map(handlingOf) });
  return {
    done: subscription.done,
    stop: () => subscription.stop(),
    gaps: () => subscription.counts.gaps,
    control: {
      partitions: () => subscription.partitions,
      seek: (partition, offset) => subscription.seek(partition, offset),
      pause: (partitions) => subscription.pause(partitions),
      resume: (partitions) => subscription.resume(partitions),
    },
  };
}

function parking(keys: ParkedKeys): FailurePolicy {
  return {
    then: 'dead-letter',
    topic: deadLetterTopic,
    laterEvents: { policy: 'park', keys },
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
