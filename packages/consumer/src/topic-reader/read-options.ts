import type { KafkaRecord } from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import type { ReadSummary } from './read-summary.ts';
import type { KnownTopic } from './topic-ranges.ts';
import type { OvertakenRange, PartitionRange } from './topic-record.ts';

/** What to read of which topics, and who is told of what. */
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
