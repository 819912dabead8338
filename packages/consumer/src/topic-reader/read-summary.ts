import type { PartitionRange } from './topic-record.ts';

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
