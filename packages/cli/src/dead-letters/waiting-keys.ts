import {
  deadLetterOf,
  parkedEntryFromText,
  parkedEntryHeader,
  parkedKeyText,
  recordHeader,
  waitingLetters,
  type DeadLetter,
  type DeadLetterTopics,
  type ParkedState,
} from '@outbound/contract';
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
  /** Where in the log the last decision about it was made, as `source_lsn` has it. */
  readonly place: string;
  readonly letters: readonly DeadLetter[];
}

/** How a key stands by the journal. */
export interface JournalledKey {
  readonly state: ParkedState;
  /** As `WaitingKey` has it. */
  readonly place: string;
  /** That decision: a letter came again, and still could not be published. */
  readonly isKept: boolean;
}

/** How to read the topics of a pipeline. */
export interface LetterSource {
  readonly connection: KafkaConnection;
  readonly admin: Pick<KafkaAdmin, 'topicRanges'>;
  readonly topics: DeadLetterTopics;
  readonly signal: AbortSignal;
}

/**
 * Whether a decision counts that was made at that place in the log, as `source_lsn` has it; of those that do, the last one of a key says how it stands.
 */
export type CountsAt = (place: string) => boolean;

/** The parked keys, by `parkedKeyText`. @throws CliError KAFKA_UNAVAILABLE; what the signal says, if it is aborted */
export async function readJournal(
  source: LetterSource,
  counts: CountsAt = () => true,
): Promise<Map<string, JournalledKey>> {
  const keys = new Map<string, JournalledKey>();
  await readWhole(source, source.topics.parkedKeys.topic, ({ headers }) => {
    const entry = parkedEntryFromText(headers[parkedEntryHeader] ?? '');
    const place = headers[recordHeader.sourceLsn] ?? '';
    if (!entry || !counts(place)) return;
    const key = parkedKeyText(entry.aggregateType, entry.aggregateId);
    if (entry.after) keys.set(key, { state: entry.after, place, isKept: entry.kind === 'kept' });
    else keys.delete(key);
  });
  return keys;
}

/** How to read the letters. */
export interface LetterReading {
  /** Payloads are left out: all that waits is held in memory, and most of it is payloads. */
  readonly withoutPayloads?: boolean;
  /** Told of every letter that is in the topic, also of those that do not wait. */
  readonly onLetter?: (letter: DeadLetter) => void;
  /** All do, by default. */
  readonly counts?: CountsAt;
}

/**
 * The parked keys that the filter means, each with all its letters that wait: a letter is never dealt with before
 * those that stand before it. Reads both topics whole. @throws CliError KAFKA_UNAVAILABLE; what the signal says, if it
 * is aborted
 */
export async function readWaitingKeys(
  source: LetterSource,
  filter: LetterFilter,
  { withoutPayloads = false, onLetter, counts }: LetterReading = {},
): Promise<readonly WaitingKey[]> {
  const keys = await readJournal(source, counts);
  const letters = new Map<string, DeadLetter[]>();
  await readWhole(source, source.topics.deadLetters.topic, ({ headers, value }) => {
    const letter = deadLetterOf(headers, withoutPayloads ? null : value);
    if (!letter) return;
    onLetter?.(letter);
    const key = parkedKeyText(letter.aggregateType, letter.aggregateId);
    if (keys.get(key)?.state.since !== letter.since) return;
    // The value is a view of a whole fetch.
    const kept = { ...letter, payload: letter.payload && Buffer.from(letter.payload) };
    const known = letters.get(key);
    if (known) known.push(kept);
    else letters.set(key, [kept]);
  });
  return Array.from(keys).flatMap(([key, { state, place }]): WaitingKey[] => {
    const [aggregateType = '', aggregateId = ''] = JSON.parse(key) as string[];
    const waiting = {
      aggregateType,
      aggregateId,
      state,
      place,
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
  signal.throwIfAborted();
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
  // What was not read whole would be told as keys that are free.
  signal.throwIfAborted();
}
