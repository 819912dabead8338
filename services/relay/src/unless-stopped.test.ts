import { expect, it } from 'vitest';
import { unlessStopped } from './unless-stopped.ts';

/** A clock whose sleeps end when the test says so. */
function handClock() {
  const sleeps: (() => void)[] = [];
  return {
    nowMs: () => 0,
    wallMs: () => 0,
    sleep: () => new Promise<void>((resolve) => sleeps.push(resolve)),
    pass: () => sleeps.splice(0).forEach((wake) => wake()),
  };
}

it('gives what the work gives, or what it fails by', async () => {
  const { signal } = new AbortController();
  const discard = () => Promise.reject(new Error('discarded'));
  expect(await unlessStopped(Promise.resolve(7), signal, handClock(), discard)).toBe(7);
  const failing = unlessStopped(Promise.reject(new Error('no')), signal, handClock(), discard);
  await expect(failing).rejects.toThrow('no');
});

it('waits a little for work that was asked to stop, and then no longer; what comes late is discarded', async () => {
  const stop = new AbortController();
  const clock = handClock();
  const late: string[] = [];
  let finish: (outcome: string) => void = () => undefined;
  const work = new Promise<string>((resolve) => (finish = resolve));
  const outcome = unlessStopped(work, stop.signal, clock, (each) => {
    late.push(each);
    return Promise.resolve();
  });
  stop.abort();
  clock.pass();
  expect(await outcome).toBeUndefined();
  finish('a slot');
  await work;
  await Promise.resolve();
  expect(late).toEqual(['a slot']);
});

it('work that ends within the grace is the outcome', async () => {
  const stop = new AbortController();
  const discard = () => Promise.reject(new Error('discarded'));
  stop.abort();
  const work = Promise.reject(new Error('cancelled'));
  await expect(unlessStopped(work, stop.signal, handClock(), discard)).rejects.toThrow('cancelled');
});
