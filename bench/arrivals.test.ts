import { describe, expect, it } from 'vitest';
import { dueBy, openLoop } from './arrivals.ts';

describe('the open loop', () => {
  it('has a fixed schedule that starts at once and ends with the count', () => {
    expect(dueBy(0, 500, 100)).toBe(1);
    expect(dueBy(1.9, 500, 100)).toBe(1);
    expect(dueBy(2, 500, 100)).toBe(2);
    expect(dueBy(1e6, 500, 100)).toBe(100);
  });

  it('lets every event arrive once and in order', async () => {
    const arrived: number[] = [];
    await openLoop({ count: 20, ratePerSecond: 10_000 }, (event) => arrived.push(event));
    expect(arrived).toEqual(Array.from({ length: 20 }, (_, event) => event));
  });
});
