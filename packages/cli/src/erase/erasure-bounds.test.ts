import { describe, expect, it } from 'vitest';
import { goneByCompaction, goneByRetention } from './erasure-bounds.ts';

const from = new Date('2026-01-01T00:00:00Z');
const day = 86_400_000;
const settings = (all: Readonly<Record<string, number | string>>) =>
  new Map(Object.entries(all).map(([name, value]) => [name, String(value)]));

describe('the time by which a record is gone', () => {
  it('by retention is that of the last record of its segment, and the brokers’ looks', () => {
    const declared = settings({ 'retention.ms': 7 * day, 'segment.ms': day });
    expect(goneByRetention(declared, from)?.toISOString()).toBe('2026-01-09T00:06:00.000Z');
  });

  it('by compaction is the longest lag, and for the tombstone its own time behind it', () => {
    const declared = settings({ 'max.compaction.lag.ms': 7 * day, 'delete.retention.ms': 7 * day });
    expect(goneByCompaction(declared, from)).toEqual({
      value: new Date('2026-01-08T00:01:00Z'),
      tombstone: new Date('2026-01-22T00:00:00Z'),
    });
  });

  it('is unknown where nothing sets one: for ever, Kafka’s default for the lag, a setting that the broker does not know', () => {
    const forEver = settings({ 'retention.ms': -1, 'segment.ms': day });
    expect(goneByRetention(forEver, from)).toBeUndefined();
    expect(goneByRetention(settings({ 'segment.ms': day }), from)).toBeUndefined();
    const noLag = settings({
      'max.compaction.lag.ms': '9223372036854775807',
      'delete.retention.ms': day,
    });
    expect(goneByCompaction(noLag, from)).toEqual({ value: undefined, tombstone: undefined });
  });
});
