import { expect, test } from 'vitest';
import type { WaitingKey } from '../dead-letters/waiting-keys.ts';
import { ofThisLog } from './waiting-events.ts';

const key = (aggregateId: string, place: string): WaitingKey => ({
  ...{ aggregateType: 't', aggregateId, place, letters: [] },
  state: {
    ...{ since: place, count: 1, done: 0, code: 'EVENT_REFUSED', type: 't' },
    ...{ firstEid: 'a', lastEid: 'a', at: '' },
  },
});

// A restore has brought the log back: the relay takes back what was decided beyond its end, and the event is nowhere then.
test('a key that was parked beyond the end of the log vouches for no event', () => {
  const keys = [
    key('before', '0/FFFFFFFF:3@9f86d081'),
    key('at the end', '1/20:0@9f86d081'),
    key('beyond', '2/0:0@9f86d081'),
    key('of nobody', ''),
  ];
  expect(ofThisLog(keys, '1/20').map(({ aggregateId }) => aggregateId)).toEqual(['before']);
  expect(ofThisLog(keys, '')).toEqual([]);
});
