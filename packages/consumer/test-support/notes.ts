import { randomUUID } from 'node:crypto';
import { dataChangeEvent } from '@outbound/contract';
import { z } from 'zod';
import type { ConsumedEvent } from '../src/index.ts';

/** A small event type, so that a test says no more than it means. */
export const note = dataChangeEvent({
  dataType: 'test.note',
  version: '1.0.0',
  owner: 'tests',
  data: z.strictObject({ id: z.string(), version: z.int() }),
  partitions: 1,
});
export type Note = typeof note;
export type NoteEvent = ConsumedEvent<Note>;

/** The value of a note. */
export function noteValue(key: string, version: number): string {
  return JSON.stringify({
    metadata: {
      eid: randomUUID(),
      event_type: note.name,
      occurred_at: '2026-01-01T00:00:00.000Z',
      version: '1.0.0',
    },
    data_op: 'U',
    data_type: 'test.note',
    data: { id: key, version },
  });
}
