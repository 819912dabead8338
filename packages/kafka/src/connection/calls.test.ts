import { expect, it } from 'vitest';
import { Calls } from './calls.ts';

const call = (sinceMs: number, silenceMs = 5000, maxAnswerBytes = 100) => ({
  ...{ sinceMs, silenceMs, maxAnswerBytes },
});

it('wants nothing of a broker that is not asked', () => {
  const calls = new Calls();
  const one = call(0);
  calls.begin(one);
  calls.end(one);
  expect(calls.limitMs(0)).toBe(0);
  expect(calls.passedLimitMs(1e9)).toBeUndefined();
  expect(calls.maxAnswerBytes).toBeUndefined();
});

it('waits as long as the call that may take longest', () => {
  const calls = new Calls();
  calls.begin(call(0));
  calls.begin(call(0, 60_000, 10));
  expect(calls.limitMs(100)).toBe(60_000);
  expect(calls.maxAnswerBytes).toBe(100);
});

it('counts the silence from the call or the last byte, whichever is later', () => {
  const calls = new Calls();
  calls.begin(call(1000));
  expect(calls.passedLimitMs(6000)).toBeUndefined();
  expect(calls.passedLimitMs(6001)).toBe(5000);
  calls.read(4000);
  expect(calls.passedLimitMs(9000)).toBeUndefined();
  expect(calls.passedLimitMs(9001)).toBe(5000);
});

it('takes a wish to be left alone, also one that comes after the call, for no silence', () => {
  const calls = new Calls();
  calls.begin(call(0));
  calls.muted(30_000);
  calls.muted(20_000);
  expect(calls.limitMs(10_000)).toBe(25_000);
  expect(calls.passedLimitMs(35_000)).toBeUndefined();
  expect(calls.passedLimitMs(35_001)).toBe(5000);
});
