import { z } from 'zod';
import type { StatePosition, StorePositions } from './state-store.ts';

const digits = z.string().regex(/^\d+$/);
const headSchema = z.object({
  topic: z.string(),
  current_at: z.iso.datetime(),
  keys: z.int().min(0),
  positions: z.record(digits, digits),
  /** Not in snapshots of earlier releases: what they are of is not proven then. */
  marks: z.record(digits, z.string()).default({}),
});

/** What every snapshot of ours begins with; nothing else is read any further. */
export const headBegin = Buffer.from('{"topic":');

/** The first line of a snapshot. */
export interface SnapshotHead {
  readonly topic: string;
  readonly keys: number;
  readonly positions: StorePositions;
}

/** Without the line's end. */
export function headLine({
  topic,
  keys,
  positions: { partitions, currentAtMs },
}: SnapshotHead): string {
  const by = (text: (position: StatePosition) => string) =>
    Object.fromEntries(
      Array.from(partitions, ([partition, each]) => [String(partition), text(each)]),
    );
  return JSON.stringify({
    topic,
    current_at: new Date(currentAtMs).toISOString(),
    keys,
    positions: by(({ nextOffset }) => nextOffset.toString()),
    marks: by(({ mark }) => mark),
  });
}

/** @throws Error for a line of another form. */
export function readHead(line: Buffer): SnapshotHead {
  const { topic, current_at, keys, positions, marks } = headSchema.parse(
    JSON.parse(line.toString()),
  );
  return {
    topic,
    keys,
    positions: {
      currentAtMs: Date.parse(current_at),
      partitions: new Map(
        Object.entries(positions).map(([partition, offset]) => [
          Number(partition),
          {
            partition: Number(partition),
            nextOffset: BigInt(offset),
            mark: marks[partition] ?? '',
          },
        ]),
      ),
    },
  };
}
