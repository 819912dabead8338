import { ConsumerError, readTopics } from '@outbound/consumer';
import { keyText } from '@outbound/kafka';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { kafkaCliError, topicMissing } from '../kafka/kafka-cli-error.ts';
import type { TopicView } from './topic-view.ts';

/** Where a topic is read. */
export interface TopicSource {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly signal: AbortSignal;
  readonly log: KafkaLog;
}

/**
 * Reads the topic on, to what is its end now, into the view; joins no group and leaves nothing behind.
 * @throws CliError TOPIC_CHANGED; TOPIC_MISSING (exit 2); KAFKA_UNAVAILABLE, READER_STALLED, READ_REFUSED (exit 5).
 */
export async function readTopicOn(
  view: TopicView,
  { connection, topic, signal, log }: TopicSource,
): Promise<void> {
  try {
    await readTopics({
      connection,
      topics: [topic],
      from: (range) => view.nextOffset(range.partition, range),
      until: 'end',
      onBatch: (records) => view.take(records),
      signal,
      log,
    });
  } catch (thrown) {
    throw readFailure(thrown, topic, connection.brokers);
  }
  signal.throwIfAborted();
}

/**
 * The last value of each of these keys as it is in the topic, read from its beginning; of a key without a value
 * nothing.
 */
export async function lastValues(
  keys: ReadonlySet<string>,
  { connection, topic, signal, log }: TopicSource,
): Promise<ReadonlyMap<string, Buffer>> {
  const values = new Map<string, Buffer>();
  try {
    await readTopics({
      connection,
      topics: [topic],
      until: 'end',
      signal,
      log,
      onBatch: (records) => {
        for (const { key, value } of records) {
          if (key === null) continue;
          const text = keyText(key);
          if (!keys.has(text)) continue;
          if (value === null) values.delete(text);
          else values.set(text, Buffer.from(value));
        }
      },
    });
  } catch (thrown) {
    throw readFailure(thrown, topic, connection.brokers);
  }
  signal.throwIfAborted();
  return values;
}

function readFailure(thrown: unknown, topic: string, brokers: readonly string[]): Error {
  if (thrown instanceof ConsumerError && thrown.code === 'TOPIC_MISSING')
    return topicMissing(`topic ${topic}`);
  return kafkaCliError(thrown, `reading ${topic}`, brokers);
}
