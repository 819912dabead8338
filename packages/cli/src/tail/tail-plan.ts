import { keyBytes } from '@outbound/kafka';
import { partitionOf } from '@outbound/contract';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { AdminPartition, PartitionOffset } from '../kafka/kafka-admin.ts';
import { startOffset, type OffsetSpec } from './offset-spec.ts';

/**
 * The partitions to read and where to begin in each. A key is only ever in one of them, the one that Java's partitioner
 * gives it.
 * @param offsetsAtTime needed when `start` is a time
 * @throws CliError PARTITION_MISSING, exit 2
 */
export function tailPlan(options: {
  readonly topic: string;
  readonly ranges: readonly AdminPartition[];
  readonly start: OffsetSpec;
  readonly offsetsAtTime?: readonly PartitionOffset[];
  readonly key?: string;
  readonly partition?: number;
}): ReadonlyMap<number, bigint> {
  const { topic, ranges, start, offsetsAtTime = [], key } = options;
  const only =
    options.partition ??
    (key === undefined ? undefined : partitionOf(keyBytes(key), ranges.length));
  const chosen = ranges.filter(({ partition }) => only === undefined || partition === only);
  if (chosen.length === 0)
    throw new CliError(
      'PARTITION_MISSING',
      `topic ${topic} has no partition ${only ?? 0}: it has 0 to ${ranges.length - 1}`,
      { exitCode: exitCodes.usage },
    );
  return new Map(
    chosen.map((range) => [
      range.partition,
      startOffset(
        start,
        range,
        offsetsAtTime.find(({ partition }) => partition === range.partition)?.offset,
      ),
    ]),
  );
}
