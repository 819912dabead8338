import { dataChangeEvent, eventHeaders } from '@outbound/contract';
import { z } from 'zod';

/** What is read: a small event, about 220 bytes of value, with the headers that the relay gives every event. */
export const benchEvent = dataChangeEvent({
  dataType: 'bench.note',
  version: '1.0.0',
  owner: 'bench',
  data: z.strictObject({ id: z.string(), version: z.int() }),
  partitions: 6,
});

/** Entities that take turns, each with versions that count up. */
export const entities = 20_000;

/** The `index`-th event as a record. */
export function benchRecord(index: number): {
  readonly key: string;
  readonly value: string;
  readonly headers: Record<string, string>;
} {
  const id = `n${String(index % entities).padStart(6, '0')}`;
  const version = Math.floor(index / entities) + 1;
  const eid = `0193ad5e-0000-7000-8000-${String(index).padStart(12, '0')}`;
  const createdAt = '2026-01-01T00:00:00.000Z';
  const dataOp = version === 1 ? 'C' : 'U';
  return {
    key: id,
    value: JSON.stringify({
      metadata: { eid, event_type: benchEvent.name, occurred_at: createdAt, version: '1.0.0' },
      data_op: dataOp,
      data_type: 'bench.note',
      data: { id, version },
    }),
    headers: {
      ...eventHeaders(
        { eid, aggregateId: id, version: String(version), dataOp, createdAt },
        benchEvent,
        {},
      ),
      source_lsn: `0/${index.toString(16).toUpperCase()}:0@00000000`,
    },
  };
}
