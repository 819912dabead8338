import { recordHeader } from '@outbound/contract';
import { encodedBatch } from '../../kafka/src/fetch/test-support/encoded-batch.ts';
import { MemoryLog } from '../../kafka/src/fetch/test-support/memory-log.ts';
import { ManualClock } from '../../kafka/src/group/test-support/manual-clock.ts';
import { MemoryGroup } from '../../kafka/src/group/test-support/memory-group.ts';
import type { GroupOptions, Subscription } from '../src/index.ts';
import { onTopic } from '../src/subscribe/topic-handling.ts';
import { subscribeWith } from '../src/subscribe/subscribe-with.ts';
import { note, noteValue, type NoteEvent } from './notes.ts';

/** The topic of the rig's log. */
export const topic = 't';

/** What has become of a promise. */
export interface Outcome {
  state: 'open' | 'resolved' | 'rejected';
  error: unknown;
}

/** A whole subscription over a log and a group in memory, and over time that only the test moves. */
export function subscriptionRig(
  handle: (event: NoteEvent) => Promise<void> | void,
  options: Partial<GroupOptions> = {},
) {
  const clock = new ManualClock();
  const group = new MemoryGroup(clock);
  const log = new MemoryLog(clock);
  const lines: string[] = [];
  const keep = (_fields: object, message: string) => void lines.push(message);
  return {
    clock,
    group,
    log,
    lines,
    /** Appends a batch of notes of these keys, in the version 1. */
    async append(...keys: string[]): Promise<void> {
      const partition = log.partition(0);
      const baseOffset = partition.end;
      const headers = { [recordHeader.type]: note.name };
      const bytes = await encodedBatch({
        baseOffset,
        records: keys.map((key, offsetDelta) => ({
          ...{ offsetDelta, key, headers },
          value: noteValue(key, 1),
        })),
      });
      partition.batches.push({ baseOffset, lastOffset: baseOffset + keys.length - 1, bytes });
    },
    /** Subscribes; ten seconds later the partition is its own, and what is there has been fetched. */
    async start(): Promise<Subscription> {
      const starting = subscribeWith(
        {
          kafka: { log, group: () => group.port(), close: () => Promise.resolve() },
          clock,
          random: () => 0.5,
        },
        {
          groupId: 'g',
          log: { info: keep, warn: keep, error: keep },
          topics: [onTopic({ topic, eventType: note, handle })],
          ...options,
        },
      );
      await clock.advance(10_000);
      return starting;
    },
  };
}

/** Follows a promise without waiting for it. */
export function outcomeOf(promise: Promise<unknown>): Outcome {
  const outcome: Outcome = { state: 'open', error: undefined };
  promise.then(
    () => (outcome.state = 'resolved'),
    (error: unknown) => Object.assign(outcome, { state: 'rejected', error }),
  );
  return outcome;
}
