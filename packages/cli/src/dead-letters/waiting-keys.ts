import {
  deadLetterOf,
  parkedEntryFromText,
  parkedEntryHeader,
  parkedKeyText,
  waitingLetters,
  type DeadLetter,
  type DeadLetterTopics,
  type ParkedState,
} from '@outbound/schemas';
import type { KafkaRecord } from '@outbound/consumer';
import type { KafkaConnection } from '@outbound/service-kit';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readPartitions } from '../kafka/read-partitions.ts';

/** Which keys are meant: those that have a waiting letter with this event id, key or type; all, if nothing is named. */
export interface LetterFilter {
  readonly eid?: string | undefined;
  readonly key?: string | undefined;
  readonly type?: string | undefined;
}

/** A parked key with its letters that wait, in the order in which they have to go. */
export interface WaitingKey {
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly state: ParkedState;
  readonly letters: readonly DeadLetter[];
}

/** How to read the topics of a pipeline. */
export interface LetterSource {
  readonly connection: KafkaConnection;
  readonly admin: Pick<KafkaAdmin, 'topicRanges'>;
  readonly topics: DeadLetterTopics;
  readonly signal: AbortSignal;
}

/** The parked keys, by `parkedKeyText`. @throws CliError KAFKA_UNAVAILABLE */
export async function readParkedStates(source: LetterSource): Promise<Map<string, ParkedState>> {
  const states = new Map<string, ParkedState>();
  await readWhole(source, source.topics.parkedKeys.topic, ({ headers }) => {
    const entry = parkedEntryFromText(headers[parkedEntryHeader] ?? '');
    if (!entry) return;
    const key = parkedKeyText(entry.aggregateType, entry.aggregateId);
    if (entry.after) states.set(key, entry.after);
    else states.delete(key);
  });
  return states;
}

/**
 * The parked keys that the filter means, each with all its letters that wait: a letter is never dealt with before
 * those that stand before it. Reads both topics whole. @throws CliError KAFKA_UNAVAILABLE
 */
export async function readWaitingKeys(
  source: LetterSource,
  filter: LetterFilter,
): Promise<readonly WaitingKey[]> {
  const states = await readParkedStates(source);
  const letters = new Map<string, DeadLetter[]>();
  await readWhole(source, source.topics.deadLetters.topic, ({ headers, value }) => {
    const letter = deadLetterOf(headers, value);
    if (!letter) return;
    const key = parkedKeyText(letter.aggregateType, letter.aggregateId);
    if (states.get(key)?.since !== letter.since) return;
    // The value is a view of a whole fetch.
    const kept = { ...letter, payload: letter.payload && Buffer.from(letter.payload) };
    const known = letters.get(key);
    if (known) known.push(kept);
    else letters.set(key, [kept]);
  });
  return Array.from(states).flatMap(([key, state]): WaitingKey[] => {
    const [aggregateType = '', aggregateId = ''] = JSON.parse(key) as string[];
    const waiting = {
      aggregateType,
      aggregateId,
      state,
      letters: waitingLetters(state, letters.get(key) ?? []),
    };
    return isMeant(waiting, filter) ? [waiting] : [];
  });
}

/** Whether the filter means the key. */
export function isMeant({ aggregateId, letters }: WaitingKey, filter: LetterFilter): boolean {
  const { eid, key, type } = filter;
  if (key !== undefined && key !== aggregateId) return false;
  if (eid !== undefined && !letters.some((letter) => letter.eid === eid)) return false;
  return type === undefined || letters.some((letter) => letter.type === type);
}

async function readWhole(
  { connection, admin, signal }: LetterSource,
  topic: string,
  onRecord: (record: KafkaRecord) => void,
): Promise<void> {
  const ranges = await admin.topicRanges(topic);
  await readPartitions({
    connection,
    topic,
    from: new Map(ranges.map(({ partition, low }) => [partition, low])),
    until: 'end',
    signal,
    onRecords: (records) => {
      for (const record of records) onRecord(record);
    },
  });
}
