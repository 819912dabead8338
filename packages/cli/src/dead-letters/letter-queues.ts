import {
  queueName,
  type DeadLetter,
  type KafkaRedrive,
  type LetterQueue,
  type RedriveBook,
} from '@outbound/consumer';
import type { KafkaConnection } from '@outbound/service-kit';
import { kafkaCliError, topicMissing } from '../kafka/kafka-cli-error.ts';

/** Which queues are meant: those that have a waiting letter that fits; all, if nothing is named. */
export interface QueueFilter {
  readonly group?: string | undefined;
  readonly eid?: string | undefined;
  readonly key?: string | undefined;
  readonly type?: string | undefined;
}

/** A letter without its record. */
export interface WaitingLetter extends Omit<DeadLetter, 'record'> {
  /** Where it was in its topic. */
  readonly partition: number;
  readonly offset: bigint;
  /** Of the value. */
  readonly bytes: number;
  /** Where it was asked for; null for a tombstone. */
  readonly payload: string | null | undefined;
}

/** The letters of one key that a group could not handle, and that nobody has dealt with, in their order. */
export interface WaitingQueue extends LetterQueue {
  readonly letters: readonly WaitingLetter[];
}

/** What a dead-letter topic of consumers holds now. `book` is undefined where nobody has asked for a redrive yet. */
export interface DeadLetterTopicNow {
  readonly queues: readonly WaitingQueue[];
  readonly book: RedriveBook | undefined;
}

/**
 * The queues that the filter means, each with all its letters that wait. Reads the topic whole.
 * @throws CliError KAFKA_UNAVAILABLE, TOPIC_MISSING; what the signal says, if it is aborted
 */
export async function readQueues(
  redrive: KafkaRedrive,
  filter: QueueFilter,
  { topic, connection, signal, withPayload = false }: QueueSource,
): Promise<DeadLetterTopicNow> {
  const queues = new Map<string, WaitingLetter[]>();
  try {
    const book = await redrive.look();
    const { letterPartitions } = redrive;
    if (!letterPartitions) throw topicMissing(`topic ${topic}`);
    await redrive.read(new Map(letterPartitions.map((each) => [each, 0n])), (letter) => {
      signal.throwIfAborted();
      const name = queueName(letter);
      if (book && !book.isWaiting(letter, letter.place)) return true;
      const letters = queues.get(name) ?? [];
      if (letters.length === 0) queues.set(name, letters);
      letters.push(waitingLetter(letter, withPayload));
      return true;
    });
    const found = Array.from(queues.values(), queueOf).filter((each) => isMeant(each, filter));
    return { queues: found, book };
  } catch (thrown) {
    signal.throwIfAborted();
    throw kafkaCliError(thrown, `topic ${topic}`, connection.brokers);
  }
}

/** The dead-letter topic and how to reach it. */
export interface QueueSource {
  readonly topic: string;
  readonly connection: KafkaConnection;
  readonly signal: AbortSignal;
  readonly withPayload?: boolean;
}

function isMeant({ group, key, letters }: WaitingQueue, filter: QueueFilter): boolean {
  if (filter.group !== undefined && filter.group !== group) return false;
  if (filter.key !== undefined && filter.key !== key) return false;
  if (filter.eid !== undefined && !letters.some(({ eid }) => eid === filter.eid)) return false;
  return filter.type === undefined || letters.some(({ type }) => type === filter.type);
}

function queueOf(letters: readonly WaitingLetter[]): WaitingQueue {
  const [{ group = '', topic = '', key = null } = {}] = letters;
  return { group, topic, key, letters };
}

/** Nothing of the record is kept: it is a view of a whole fetch. */
function waitingLetter(letter: DeadLetter, withPayload: boolean): WaitingLetter {
  const { record, ...told } = letter;
  return {
    ...told,
    partition: record.partition,
    offset: record.offset,
    bytes: record.value?.length ?? 0,
    payload: withPayload ? (record.value?.toString() ?? null) : undefined,
  };
}
