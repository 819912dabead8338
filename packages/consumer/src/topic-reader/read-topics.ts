import { openKafkaReads } from '@outbound/kafka';
import { systemClock, type KafkaConnection, type KafkaLog } from '@outbound/service-kit';
import type { ReadOptions } from './read-options.ts';
import type { ReadSummary } from './read-summary.ts';
import { topicRanges } from './topic-ranges.ts';
import { TopicReading, type ReadPorts } from './topic-reading.ts';

export interface ReadTopicsOptions extends ReadOptions {
  readonly connection: KafkaConnection;
}

const silentLog: KafkaLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * Reads topics from a position on, as a reader of its own: it joins no group, commits nothing and leaves nothing behind. Gives committed records
 * only, each once; gaps of compaction and markers of transactions are passed over. Order: as in each partition, and so per key; between
 * partitions none. Survives brokers that restart and leaders that move. The end to reach is the end for everybody (high watermark): where an open transaction holds
 * readers of committed records below it, reading waits for it.
 * @throws ConsumerError TOPIC_MISSING at once for a topic that does not exist, or as soon as it was deleted; READER_STALLED after `silenceMs` without an answer, or with answers that bring nothing
 * while there is more, naming the partitions; TRANSACTION_OPEN if it is an open transaction that holds the rest back; POSITION_UNKNOWN if the log ends before the position, or the topic was made again;
 * READ_REFUSED if a broker refuses; KafkaError KAFKA_RECORDS_UNREADABLE for a broken batch, after everything before it; and whatever
 * one of the functions throws, after which nothing more is handed out.
 */
export async function readTopics(options: ReadTopicsOptions): Promise<ReadSummary> {
  const kafka = await openKafkaReads(options.connection, options.log ?? silentLog);
  try {
    return await readTopicsWith({ kafka, clock: systemClock, random: Math.random }, options);
  } finally {
    await kafka.close();
  }
}

/** `readTopics` over ports, which stay open. */
export async function readTopicsWith(ports: ReadPorts, options: ReadOptions): Promise<ReadSummary> {
  const { topics, log = silentLog } = options;
  const ranges = await topicRanges(
    ports.kafka.log,
    [...new Set(topics)],
    ports.clock,
    options.known,
  );
  await options.onOpen?.(ranges);
  return new TopicReading(ports, ranges, { ...options, log }).run();
}
