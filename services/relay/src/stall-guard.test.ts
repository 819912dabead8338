import { expect, it } from 'vitest';
import { StallGuard } from './stall-guard.ts';

function guarded() {
  const answers: ((holds: boolean) => void)[] = [];
  const guard = new StallGuard({
    limitMs: 10_000,
    at: { nowMs: 0, wallMs: 1_000_000 },
    holdsSlot: () => new Promise((resolve) => answers.push(resolve)),
  });
  /** Time goes on by so much, and that much on the wall. */
  let nowMs = 0;
  let wallMs = 1_000_000;
  const pass = (ms: number, onTheWallMs = ms) => {
    nowMs += ms;
    wallMs += onTheWallMs;
    guard.observe({ nowMs, wallMs });
  };
  return { guard, answers, pass };
}

it.each([
  ['the process stood still', 10_001, 10_001, true],
  ['the machine was suspended, and the monotonic clock with it', 250, 26 * 3_600_000, true],
  [
    'the wall clock was set back, and nobody knows how long the machine was suspended',
    250,
    -30_000,
    true,
  ],
  ['the wall clock was set back a little', 250, -1500, false],
  ['nothing was out of the ordinary', 250, 250, false],
])('the slot is in doubt or not: %s', (_, ms, onTheWallMs, expected) => {
  const { guard, pass } = guarded();
  pass(ms, onTheWallMs);
  expect(guard.isSuspect).toBe(expected);
});

it('is asked for once by all who want to send, and a doubt that comes meanwhile is asked for again', async () => {
  const { guard, answers, pass } = guarded();
  guard.doubt();
  const sends = [guard.prove(), guard.prove()];
  expect(answers).toHaveLength(1);
  pass(20_000);
  answers[0]?.(true);
  while (answers.length < 2) await Promise.resolve();
  expect(guard.isSuspect).toBe(true);
  answers[1]?.(true);
  await Promise.all(sends);
  expect(answers).toHaveLength(2);
  await guard.prove();
  expect(answers).toHaveLength(2);
});

it('a send that failed is a doubt, but not those that fail right after the proof', async () => {
  const { guard, answers, pass } = guarded();
  pass(5000);
  guard.failed();
  const send = guard.prove();
  answers[0]?.(true);
  await send;
  for (let lane = 0; lane < 200; lane += 1) guard.failed();
  expect(guard.isSuspect).toBe(false);
  pass(1000);
  guard.failed();
  expect(guard.isSuspect).toBe(true);
});

it('what is lost, or cannot be asked, ends the session', async () => {
  const { guard, answers } = guarded();
  guard.doubt();
  const send = guard.prove();
  answers[0]?.(false);
  await expect(send).rejects.toMatchObject({ code: 'SOURCE_CONNECTION_LOST' });
  const mute = new StallGuard({
    limitMs: 1,
    at: { nowMs: 0, wallMs: 0 },
    holdsSlot: () => Promise.reject(new Error('no')),
  });
  mute.doubt();
  await expect(mute.prove()).rejects.toMatchObject({ code: 'SOURCE_CONNECTION_LOST' });
});

it('a slot that is held for less than the limit is in doubt after so long', () => {
  const { guard, pass } = guarded();
  guard.atMost(4000);
  guard.atMost(60_000);
  pass(4000);
  expect(guard.isSuspect).toBe(false);
  pass(4001);
  expect(guard.isSuspect).toBe(true);
});
