import { recordBound } from './record-batch.ts';
import type { RecordToWrite } from './record-to-write.ts';

/** Bounds of one batch: well below what a topic takes by default (1 MiB). */
const maxRecords = 1000;
const maxBytes = 512 * 1024;

/**
 * The records under their partitions, cut into batches, all in order. A record that is larger than a batch should be
 * is alone in one.
 */
export function batchesOf(
  records: readonly RecordToWrite[],
  partitionOf: (record: RecordToWrite) => number,
): Map<number, RecordToWrite[][]> {
  const partitions = new Map<number, { batches: RecordToWrite[][]; bytes: number }>();
  for (const record of records) {
    const partition = partitionOf(record);
    const bytes = recordBound(record);
    let state = partitions.get(partition);
    if (!state) partitions.set(partition, (state = { batches: [], bytes: 0 }));
    const open = state.batches.at(-1);
    if (open && open.length < maxRecords && state.bytes + bytes <= maxBytes) {
      open.push(record);
      state.bytes += bytes;
    } else {
      state.batches.push([record]);
      state.bytes = bytes;
    }
  }
  return new Map(Array.from(partitions, ([partition, { batches }]) => [partition, batches]));
}
