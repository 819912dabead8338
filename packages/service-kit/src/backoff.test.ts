import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

test('a delay doubles its ceiling with each attempt up to the maximum', () => {
  const ceilings = [1, 2, 3, 4, 5].map((attempt) =>
    backoffMs({ attempt, baseMs: 100, maxMs: 1_000, random: () => 0.999_999_999 }),
  );
  expect(ceilings.map(Math.round)).toEqual([100, 200, 400, 800, 1_000]);
});

test('a delay is never below half of its base, nor above its maximum', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, draw) => {
        const delay = backoffMs({ attempt, baseMs: 50, maxMs: 5_000, random: () => draw });
        expect(delay).toBeGreaterThanOrEqual(25);
        expect(delay).toBeLessThanOrEqual(5_000);
      },
    ),
  );
});
