import { describe, expect, it } from 'vitest';
import { batchDueInMs } from './batch-due.ts';

const limits = { maxEvents: 3, maxBytes: 100, maxWaitMs: 50 };

describe('batchDueInMs', () => {
  it.each([
    ['nothing waits', { count: 0, bytes: 0, oldestMs: 0 }, undefined],
    ['there are enough events', { count: 3, bytes: 9, oldestMs: 1000 }, 0],
    ['there are enough bytes', { count: 1, bytes: 100, oldestMs: 1000 }, 0],
    ['the oldest waits for others', { count: 1, bytes: 9, oldestMs: 990 }, 40],
    ['the oldest has waited long enough', { count: 1, bytes: 9, oldestMs: 900 }, 0],
    ['no more can come', { count: 1, bytes: 9, oldestMs: 1000, isAll: true }, 0],
    [
      'nothing waits and no more can come',
      { count: 0, bytes: 0, oldestMs: 0, isAll: true },
      undefined,
    ],
  ])('is told when %s', (_, waiting, due) => {
    expect(batchDueInMs({ isAll: false, ...waiting }, 1000, limits)).toBe(due);
  });
});
