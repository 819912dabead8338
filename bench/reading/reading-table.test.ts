import { expect, it } from 'vitest';
import { readingTable } from './reading-table.ts';
import type { ReadingTurn } from './run-reading.ts';

const turn = (reader: string, seconds: number, cpuSeconds = seconds): ReadingTurn => ({
  ...{ reader, seconds, cpuSeconds, events: 1000, peakBytes: 2 ** 27, stolenCores: 0 },
});

it('holds every reader against the peers of its own round', () => {
  const raw = 'kafkajs eachBatch, nothing parsed';
  const parsed = 'kafkajs eachBatch, JSON.parse and headers';
  const turns = [
    ...[turn(raw, 1), turn(parsed, 2), turn('ours', 4)],
    ...[turn(raw, 1), turn(parsed, 4), turn('ours', 4, NaN)],
  ];
  expect(readingTable({ events: 1000, partitions: 6, turns })).toContain(
    '| ours | 250 | 0.75 (0.50–1.00) | 0.25 | unknown | 128 |',
  );
});
