import type { dataChangeEvent as declare } from '@outbound/contract';
import { z } from 'zod';

/** Of every topic that a round reads. */
export const partitions = 12;

/**
 * The event type of the rounds: a counter for each key, whose versions follow each other without a gap.
 * @param dataChangeEvent of the code under test, because it is read with that code's rules.
 */
export function soakEvent(dataChangeEvent: typeof declare) {
  return dataChangeEvent({
    dataType: 'soak.reading',
    version: '1.0.0',
    owner: 'soak',
    data: z.strictObject({
      id: z.string(),
      version: z.int().positive(),
      text: z.string(),
    }),
    partitions,
  });
}

/** The value of one event, about 300 bytes in one line. */
export function soakValue(key: string, version: number): string {
  const eid = `00000000-0000-4000-8000-${(Number(key.slice(2)) * 0x1000000 + version).toString(16).padStart(12, '0')}`;
  return `{"metadata":{"eid":"${eid}","event_type":"soak.reading-change","occurred_at":"2026-01-01T00:00:00Z","version":"1.0.0"},"data_op":"U","data_type":"soak.reading","data":{"id":"${key}","version":${version},"text":"${text}"}}`;
}

const text = 'a reading that is long enough to be an event as events are in practice';
