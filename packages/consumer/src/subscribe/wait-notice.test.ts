import { expect, it } from 'vitest';
import { WaitNotice } from './wait-notice.ts';

it('a wait is told at once, then ever more rarely, and again at once when there is a new one', () => {
  const notice = new WaitNotice();
  const told: number[] = [];
  for (let ms = 0; ms <= 20_000; ms += 500) if (notice.due(ms) !== undefined) told.push(ms);
  expect(told).toEqual([0, 1_000, 3_000, 7_000, 15_000]);
  expect(notice.over(20_000)).toBe(20_000);
  expect(notice.over(20_001)).toBeUndefined();
  expect(notice.due(30_000)).toBe(0);
});
