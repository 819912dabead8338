import { expect, test } from 'vitest';
import { LineLimit } from './line-limit.ts';

test('the first line of a kind passes, then one in the interval, with the number of those held back', () => {
  let nowMs = 0;
  const limit = new LineLimit({ everyMs: 10_000, nowMs: () => nowMs });
  const passed: unknown[] = [];
  for (; nowMs < 25_000; nowMs += 1000)
    for (const key of ['a', 'b']) {
      const line = limit.admit(key);
      if (line) passed.push([nowMs, key, line.heldBack]);
    }
  expect(passed).toEqual([
    [0, 'a', 0],
    [0, 'b', 0],
    [10_000, 'a', 9],
    [10_000, 'b', 9],
    [20_000, 'a', 9],
    [20_000, 'b', 9],
  ]);
});

test('kinds without an end take no memory without a bound, and the newest are still held back', () => {
  const limit = new LineLimit({ everyMs: 1, nowMs: () => 0 });
  for (let n = 0; n < 5000; n += 1) expect(limit.admit(`word ${n}`)).toEqual({ heldBack: 0 });
  expect(limit.admit('word 4999')).toBeUndefined();
  expect(limit.admit('word 0')).toEqual({ heldBack: 0 });
});
