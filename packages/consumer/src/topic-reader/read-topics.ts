import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { TopicCluster } from './topic-cluster.ts';
import { TopicReading } from './topic-reading.ts';
import type { PartitionRange, TopicRecord } from './topic-record.ts';

export interface ReadTopicsOptions {
  readonly connection: KafkaConnection;
  readonly topics: readonly string[];
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
   * Records of one partition, in offset order, at least one. The next call is made when this one's promise has resolved, whichever the partition:
   * this is the back-pressure, and may take as long as it likes.
   */
  readonly onBatch: (records: readonly TopicRecord[]) => void | Promise<void>;
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
  /** How long a partition may go without an answer that brings more of it, or says that there is no more; 30 s. */
  readonly silenceMs?: number;
  readonly log?: KafkaLog;
}

/** What was read. */
export interface ReadSummary {
  readonly recordCount: number;
  /** Keys and values. */
  readonly byteCount: number;
  /** As they were when reading began. */
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
 * partitions none. Survives brokers that restart and leaders that move.
 * @throws ConsumerError TOPIC_MISSING at once for a topic that does not exist; READER_STALLED after `silenceMs` without an answer, or with answers that bring nothing while there is more, naming the partitions; POSITION_UNKNOWN if the log ends before the position; READ_REFUSED if a broker refuses; and whatever `onBatch` or `onCaughtUp` throws, after which nothing more
 * is handed out.
 */
export async function readTopics(options: ReadTopicsOptions): Promise<ReadSummary> {
  const { connection, topics, log = silentLog } = options;
  const cluster = await TopicCluster.open(connection, [...new Set(topics)], log);
  try {
    const ranges = await cluster.ranges();
    await options.onOpen?.(ranges);
    const reading = new TopicReading(cluster, ranges, { ...options, log });
    return await reading.run();
  } finally {
    await cluster.close();
  }
}
