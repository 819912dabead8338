import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

describe('the rate of a caller', () => {
  it('is a burst at once, then so many a second, and says when to come again', () => {
    const limiter = new RateLimiter({ perSecond: 2, burst: 3 });
    const admitted = [0, 0, 0].map((nowMs) => limiter.take('a', nowMs));
    expect(admitted.map(({ isAdmitted, remaining }) => [isAdmitted, remaining])).toEqual([
      [true, 2],
      [true, 1],
      [true, 0],
    ]);
    expect(limiter.take('a', 0)).toEqual({
      isAdmitted: false,
      remaining: 0,
      resetSeconds: 2,
      retryAfterSeconds: 1,
    });
    expect(limiter.take('a', 499).isAdmitted).toBe(false);
    expect(limiter.take('a', 500)).toMatchObject({ isAdmitted: true, retryAfterSeconds: 1 });
    expect(limiter.take('a', 60_000)).toMatchObject({ isAdmitted: true, remaining: 2 });
  });

  it('is nobody else’s', () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 });
    expect(limiter.take('a', 0).isAdmitted).toBe(true);
    expect(limiter.take('a', 0).isAdmitted).toBe(false);
    expect(limiter.take('b', 0).isAdmitted).toBe(true);
  });

  it('is never above burst and rate, however the requests come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 200 }), (pauses) => {
        const limiter = new RateLimiter({ perSecond: 5, burst: 4 });
        let nowMs = 0;
        let admitted = 0;
        for (const pause of pauses) {
          nowMs += pause;
          const { isAdmitted, retryAfterSeconds } = limiter.take('a', nowMs);
          if (isAdmitted) admitted += 1;
          else expect(retryAfterSeconds).toBe(1);
        }
        expect(admitted).toBeLessThanOrEqual(4 + (nowMs / 1_000) * 5 + 1e-6);
      }),
    );
  });

  it('is remembered for a bounded number of callers, who asked last', () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1, maxCallers: 3 });
    for (const caller of ['a', 'b', 'c', 'a', 'd']) limiter.take(caller, 0);
    expect(limiter.callerCount).toBe(3);
    expect(limiter.take('a', 0).isAdmitted).toBe(false);
    expect(limiter.take('b', 0).isAdmitted).toBe(true);
  });
});
