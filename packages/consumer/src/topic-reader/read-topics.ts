import { openKafkaReads, type KafkaRecord } from '@outbound/kafka';
import { systemClock, type KafkaConnection, type KafkaLog } from '@outbound/service-kit';
import { topicRanges, type KnownTopic } from './topic-ranges.ts';
import { TopicReading, type ReadPorts } from './topic-reading.ts';
import type { OvertakenRange, PartitionRange } from './topic-record.ts';

export interface ReadOptions {
  readonly topics: readonly string[];
  /** What the positions of one of the topics say of it: brokers that are behind that are asked again, for up to 10 s. */
  readonly known?: KnownTopic;
  /** Called once with what is there, before anything is read, and before `from`. */
  readonly onOpen?: (ranges: readonly PartitionRange[]) => void | Promise<void>;
  /**
   * Offset to begin at; without this function the first that is there. One below what is there begins at the first that is; see `overtaken`.
   * Undefined: this partition is not read at all.
   */
  readonly from?: (range: PartitionRange) => bigint | undefined;
  /** `end`: up to what was the end when reading began, not one record more. `forever`: on, until `signal`. */
  readonly until: 'end' | 'forever';
  /**
   * Called between two batches with partitions that were added to a topic while it is read `forever`; they are then read from their beginning, unless `from`
   * leaves them out.
   */
  readonly onGrown?: (added: readonly PartitionRange[]) => void | Promise<void>;
  /**
   * Records of one partition, in offset order, at least one. The next call is made when this one's promise has resolved, whichever the partition:
   * this is the back-pressure, and may take as long as it likes.
   */
  readonly onBatch: (records: readonly KafkaRecord[]) => void | Promise<void>;
  /**
   * Called between two batches, when retention (or somebody) has removed records before they could be read, and before
   * what is behind them is handed out. Not for what was gone when reading began: `from` was told.
   */
  readonly onOvertaken?: (gap: OvertakenRange) => void | Promise<void>;
  /**
   * Called exactly once, between two batches, when everything has been handed out that was there when reading began; also when there was nothing.
   * Not called if reading ends before.
   */
  readonly onCaughtUp?: (summary: ReadSummary) => void | Promise<void>;
  /**
   * Called between two batches, at most every `currentEveryMs` after it has caught up: everything has been handed out that was there at this time
   * (ms since 1970). Does not come while the reader is behind.
   */
  readonly onCurrent?: (atMs: number) => void | Promise<void>;
  /** Default 30,000. */
  readonly currentEveryMs?: number;
  /** Ends reading quickly: the batch that is worked on is waited for, and the promise resolves. */
  readonly signal?: AbortSignal;
  /**
   * How long a partition may go without an answer that brings more of it, or says that there is no more; 30 s. While it has not caught up, this is also how long an open
   * transaction may hold back what lies behind it.
   */
  readonly silenceMs?: number;
  readonly log?: KafkaLog;
}

export interface ReadTopicsOptions extends ReadOptions {
  readonly connection: KafkaConnection;
}

/** What was read. */
export interface ReadSummary {
  readonly recordCount: number;
  /** Keys and values. */
  readonly byteCount: number;
  /** As they were when reading began, and when each was added. */
  readonly partitions: readonly PartitionRange[];
  /** Where reading would go on, per `topic/partition`. */
  readonly positions: ReadonlyMap<string, bigint>;
  /** False if retention had removed first records of any partition when reading began. */
  readonly isWhole: boolean;
  /** Offsets that retention removed before they could be read. */
  readonly overtaken: bigint;
  /** True if everything was handed out that was there when reading began. */
  readonly isCaughtUp: boolean;
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
