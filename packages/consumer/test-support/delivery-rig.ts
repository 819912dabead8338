import type { KafkaRecord } from '@outbound/kafka';
import { recordHeader } from '@outbound/contract';
import { systemClock } from '@outbound/service-kit';
import type { DeadLetterRecord } from '../src/dead-letters/dead-letter-record.ts';
import { createMemoryParkedKeys, type ParkedKeys } from '../src/dead-letters/parked-keys.ts';
import { ConsumerError } from '../src/errors.ts';
import { Attempts } from '../src/subscribe/attempts.ts';
import { Delivery, type DeliveryCounts } from '../src/subscribe/delivery.ts';
import type { HandleBatch, HandleEvent, RetryPolicy } from '../src/subscribe/handler.ts';
import { Life } from '../src/subscribe/life.ts';
import { PoisonDesk, type FailurePolicy } from '../src/subscribe/poison-desk.ts';
import { onTopic } from '../src/subscribe/topic-handling.ts';
import type { VersionGap } from '../src/subscribe/version-gaps.ts';
import { note, noteValue } from './notes.ts';

/** The topic of the records here: every change of a note is on it. */
export const notesTopic = 'test.note-change';
const topic = notesTopic;

/** A record of a note. */
export function record(
  offset: number,
  key: string,
  version: number | 'broken',
  extra: object = {},
): KafkaRecord {
  return {
    topic,
    partition: 0,
    offset: BigInt(offset),
    timestampMs: 0,
    key: Buffer.from(key),
    value: Buffer.from(version === 'broken' ? '{' : noteValue(key, version)),
    headers: { [recordHeader.type]: note.name, ...extra },
    headerList: () => [],
  };
}

/** A delivery to this handler, and what it did. */
export function setUp(
  handling: { handle: HandleEvent<typeof note> } | { handleBatch: HandleBatch<typeof note> },
  options: {
    policy?: FailurePolicy | 'park' | 'continue';
    retry?: Partial<RetryPolicy>;
    limitMs?: number;
    onVersionGap?: (gap: VersionGap) => void;
    topicName?: string;
    /** With `park`; those of an earlier process, for example. */
    keys?: ParkedKeys;
    topicId?: string;
    /** Whether the dead-letter topic takes a record now. */
    isTaken?: () => boolean;
    onLetter?: (letter: DeadLetterRecord) => void;
  } = {},
) {
  const letters: string[] = [];
  const messages: string[] = [];
  const late: unknown[] = [];
  const counts: DeliveryCounts = { handled: 0, ignored: 0, versionGaps: 0 };
  const ignore = () => undefined;
  const log = { info: ignore, warn: ignore, error: ignore };
  const { policy = 'park' } = options;
  const desk = new PoisonDesk({
    group: 'g',
    policy:
      policy === 'park'
        ? {
            then: 'dead-letter',
            topic: 'dead',
            laterEvents: { policy, keys: options.keys ?? createMemoryParkedKeys() },
          }
        : policy === 'continue'
          ? { then: 'dead-letter', topic: 'dead', laterEvents: { policy } }
          : policy,
    sender: {
      send: (letter: DeadLetterRecord) => {
        const { key, headers } = letter;
        if (options.isTaken?.() === false)
          return Promise.reject(new ConsumerError('DEAD_LETTER_FAILED', 'not taken'));
        const told = (name: string) => String(headers.find((each) => each.name === name)?.value);
        letters.push(`${String(key)}@${told('dead_letter_offset')} ${told('dead_letter_reason')}`);
        messages.push(told('dead_letter_message'));
        options.onLetter?.(letter);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    },
    clock: systemClock,
    log,
    topicId: () => options.topicId,
  });
  const delivery = new Delivery({
    handling: onTopic({ topic: options.topicName ?? topic, eventType: note, ...handling }),
    attempts: new Attempts({
      retry: { attempts: 1, baseMs: 1, maxMs: 1, ...options.retry },
      limitMs: options.limitMs ?? 60_000,
      clock: systemClock,
      random: () => 0.5,
      onLate: (error) => late.push(error),
      over: new AbortController().signal,
      log,
    }),
    desk,
    onVersionGap: options.onVersionGap,
    counts,
    log,
  });
  const life = new Life(systemClock, () => true);
  const finished: number[] = [];
  const batch = async (records: readonly KafkaRecord[]) => {
    const delivered = await delivery.batch(records, life, (index) => finished.push(index));
    if (delivered)
      for (const index of records.keys()) if (!finished.includes(index)) finished.push(index);
    return delivered;
  };
  return { delivery, desk, life, letters, messages, counts, finished, late, batch };
}
