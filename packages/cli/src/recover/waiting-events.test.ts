import { expect, test } from 'vitest';
import { ofThisLog } from './waiting-events.ts';

// A restore has brought the log back: the relay takes back what was decided beyond its end, and the event is nowhere then.
test('a key that was parked beyond the end of the log vouches for no event', () => {
  const counts = ofThisLog('9f86d081', '1/20');
  expect(counts('0/FFFFFFFF:3@9f86d081')).toBe(true);
  expect(counts('1/20:0@9f86d081')).toBe(false);
  expect(counts('2/0:0@9f86d081')).toBe(false);
  expect(ofThisLog('9f86d081', '')('0/1:0@9f86d081')).toBe(false);
});

// The relay takes it for how the key stood before everything that is in this log.
test('a decision about another source counts, however far its log was', () => {
  const counts = ofThisLog('9f86d081', '1/20');
  expect(counts('2/0:0@00000000')).toBe(true);
  expect(counts('')).toBe(true);
});
