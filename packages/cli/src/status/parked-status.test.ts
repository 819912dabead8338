import type { ParkedState } from '@outbound/contract';
import { expect, test } from 'vitest';
import { parkedStatus } from './parked-status.ts';

const key = (over: Partial<ParkedState>): ParkedState => ({
  ...{ since: '0/1:0', count: 1, done: 0, code: 'EVENT_REFUSED', type: 't' },
  ...{ firstEid: 'a', lastEid: 'b', at: '2026-01-01T00:01:00.000Z' },
  ...over,
});
const nowMs = Date.parse('2026-01-01T00:02:00.000Z');

test('parked keys are counted with what waits, since when, and why', () => {
  expect(
    parkedStatus(
      [
        key({ count: 5, done: 2 }),
        key({ code: 'EVENT_TYPE_UNKNOWN', at: '2026-01-01T00:00:30.000Z' }),
        key({}),
      ],
      nowMs,
    ),
  ).toEqual({
    keys: 3,
    events: 5,
    oldest_at: '2026-01-01T00:00:30.000Z',
    oldest_seconds: 90,
    by_code: { EVENT_REFUSED: 2, EVENT_TYPE_UNKNOWN: 1 },
  });
});

test('none that waits has no age, and one whose time cannot be read is counted all the same', () => {
  expect(parkedStatus([], nowMs)).toMatchObject({ keys: 0, events: 0, oldest_at: null });
  expect(parkedStatus([key({ at: 'once' })], nowMs)).toMatchObject({
    keys: 1,
    oldest_seconds: null,
  });
});
