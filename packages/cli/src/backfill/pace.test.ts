import fc from 'fast-check';
import { expect, test } from 'vitest';
import { durationText, paceText, waitMs } from './pace.ts';

test('a run never does more than its rate on average, and waits no longer than it has to', () => {
  fc.assert(
    fc.property(
      fc.nat(100_000),
      fc.nat(1_000_000),
      fc.integer({ min: 1, max: 5000 }),
      (done, elapsedMs, rate) => {
        const wait = waitMs({ done, total: undefined, elapsedMs }, rate);
        expect(wait).toBeGreaterThanOrEqual(0);
        const seconds = (elapsedMs + wait) / 1000;
        expect(done).toBeLessThanOrEqual(rate * seconds + 1e-6);
        if (wait > 0) expect(rate * seconds).toBeCloseTo(done, 3);
      },
    ),
  );
  expect(waitMs({ done: 1e9, total: undefined, elapsedMs: 0 }, 0)).toBe(0);
});

test('progress says what is known and nothing else', () => {
  expect(paceText({ done: 1500, total: 100_000, elapsedMs: 3000 })).toBe(
    '1,500 of 100,000 (1 %), 500/s, about 3 min left',
  );
  expect(paceText({ done: 0, total: 0, elapsedMs: 0 })).toBe('0 of 0');
  expect(paceText({ done: 7, total: undefined, elapsedMs: 1000 })).toBe('7, 7/s');
  expect([0.2, 89, 90, 5399, 9000].map(durationText)).toEqual([
    '1 s',
    '89 s',
    '2 min',
    '90 min',
    '2.5 h',
  ]);
});
