import { describe, expect, it } from 'vitest';
import { pauseMs, planRetry, retryAfterMs } from './retry-plan.ts';

describe('what is repeated', () => {
  const own = (type: string) => `/problems/${type}`;
  it.each([
    // status, problem type, repeated with a key or as a read, repeated without, may have been done
    [429, own('too-many-requests'), true, true, false],
    [408, own('request-timeout'), true, true, false],
    [503, own('unavailable'), true, true, false],
    [503, own('overloaded'), true, true, false],
    [503, own('outcome-unknown'), true, false, true],
    [503, undefined, true, false, true],
    [502, undefined, true, false, true],
    [504, undefined, true, false, true],
    [undefined, undefined, true, false, true],
    [500, own('internal-error'), false, false, false],
    [412, own('precondition-failed'), false, false, false],
    [409, own('conflict'), false, false, false],
    [401, own('unauthenticated'), false, false, false],
  ])(
    'after %s %s: %s, without a key %s, unknown %s',
    (status, problemType, keyed, bare, isUnknown) => {
      const failure = { status, problemType, retryAfterMs: 0 };
      expect(planRetry({ isRepeatable: true }, failure)).toEqual({ repeats: keyed, isUnknown });
      expect(planRetry({ isRepeatable: false }, failure)).toEqual({ repeats: bare, isUnknown });
    },
  );
});

describe('the pause', () => {
  const pauses = (random: number, retryAfter = 0) =>
    [1, 2, 3, 4, 5, 40].map((attempt) =>
      pauseMs(attempt, { baseMs: 200, maxMs: 2_000, random: () => random, retryAfter }),
    );

  it('grows to its cap, is never nothing, and differs from client to client', () => {
    expect(pauses(0)).toEqual([100, 100, 100, 100, 100, 100]);
    expect(pauses(0.5)).toEqual([150, 250, 450, 850, 1_050, 1_050]);
    expect(pauses(1)).toEqual([200, 400, 800, 1_600, 2_000, 2_000]);
  });

  it('is no shorter than the server asks for', () => {
    expect(pauses(0, 5_000)[0]).toBe(5_100);
  });

  it('reads Retry-After in seconds and as a date, up to a minute', () => {
    const now = Date.parse('2026-03-01T00:00:00Z');
    expect(retryAfterMs('2', now)).toBe(2_000);
    expect(retryAfterMs('Sun, 01 Mar 2026 00:00:03 GMT', now)).toBe(3_000);
    expect(retryAfterMs('Sat, 28 Feb 2026 00:00:00 GMT', now)).toBe(0);
    expect(retryAfterMs('86400', now)).toBe(60_000);
    expect(retryAfterMs('soon', now)).toBe(0);
    expect(retryAfterMs(null, now)).toBe(0);
  });
});
