import type { Clock } from '@outbound/service-kit';
import { expect, test } from 'vitest';
import { inSteps } from './in-steps.ts';

/** A clock that only sleeping and working move. */
function fakeClock() {
  let now = 0;
  const slept: number[] = [];
  const clock: Clock = {
    nowMs: () => now,
    wallMs: () => now,
    sleep: (ms) => {
      slept.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  return { clock, slept, pass: (ms: number) => (now += ms) };
}
const never = new AbortController().signal;

test('goes on until a step finds less than it may do, with as long a pause as the step took', async () => {
  const { clock, slept, pass } = fakeClock();
  const work = [10, 10, 10, 4];
  const step = () => {
    pass(20);
    return Promise.resolve(work.shift() ?? 0);
  };
  expect(await inSteps(step, { limit: 10, budgetMs: 1_000, clock, signal: never })).toBe(34);
  expect(slept).toEqual([20, 20, 20]);
});

test('ends after its time, whatever there is', async () => {
  const { clock, pass } = fakeClock();
  const step = () => {
    pass(50);
    return Promise.resolve(10);
  };
  expect(await inSteps(step, { limit: 10, budgetMs: 1_000, clock, signal: never })).toBe(100);
});

test('ends behind the step under way when it is told to', async () => {
  const { clock } = fakeClock();
  const stop = new AbortController();
  const step = () => {
    stop.abort();
    return Promise.resolve(10);
  };
  expect(await inSteps(step, { limit: 10, budgetMs: 1_000, clock, signal: stop.signal })).toBe(10);
});

test('does once what there is nothing of', async () => {
  const { clock, slept } = fakeClock();
  const options = { limit: 10, budgetMs: 1_000, clock, signal: never };
  expect(await inSteps(() => Promise.resolve(0), options)).toBe(0);
  expect(slept).toEqual([]);
});
