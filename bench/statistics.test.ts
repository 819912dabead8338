import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, spread, summarizeLatency } from './statistics.ts';

describe('statistics', () => {
  it('take the middle value, or the mean of the two middle ones', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('interpolate a quantile between its neighbours', () => {
    expect(quantile([10, 20, 30, 40, 50], 0.25)).toBe(20);
    expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
  });

  it('sort by value and not by text', () => {
    expect(quantile([9, 10, 100], 1)).toBe(100);
    expect(spread([9, 100, 10])).toEqual({ median: 10, min: 9, max: 100 });
  });

  it('refuse to make a figure out of nothing', () => {
    expect(() => summarizeLatency([])).toThrow(RangeError);
    expect(() => quantile([1], 1.5)).toThrow('1.5 is not a quantile');
  });

  it('rise with the quantile and stay within the values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: 0, max: 1e6 }), { minLength: 1 }),
        (values) => {
          const { p50, p95, p99, max } = summarizeLatency(values);
          expect(p50).toBeLessThanOrEqual(p95);
          expect(p95).toBeLessThanOrEqual(p99);
          expect(p99).toBeLessThanOrEqual(max);
          expect(max).toBe(Math.max(...values));
        },
      ),
    );
  });
});
