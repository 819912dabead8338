import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairGate } from './fair-gate.ts';

const gateOf = (options: Partial<ConstructorParameters<typeof FairGate>[0]> = {}) =>
  new FairGate({ capacity: 4, perCaller: 3, maxWaiting: 100, waitMs: 60_000, ...options });

/** Enters, and says when it has. */
function entering(gate: FairGate, name: string, admitted: string[]) {
  const pass = Promise.resolve(gate.enter(name)).then((leave) => {
    admitted.push(name);
    return leave;
  });
  // Those that never come in are of no interest.
  pass.catch(() => undefined);
  return pass;
}

describe('the gate', () => {
  it('keeps places for others, whatever one caller does', async () => {
    const gate = gateOf();
    const admitted: string[] = [];
    const passes = Array.from({ length: 50 }, () => entering(gate, 'greedy', admitted));
    await new Promise(setImmediate);
    expect([passes.length, admitted.length]).toEqual([50, 3]);
    expect(typeof gate.enter('modest')).toBe('function');
  });

  it('gives a free place to who has the fewest, and of equals to who has waited longest', async () => {
    const gate = gateOf({ capacity: 3 });
    const admitted: string[] = [];
    const leaves = ['greedy', 'greedy', 'greedy'].map((name) => gate.enter(name) as () => void);
    for (const name of ['greedy', 'greedy', 'a', 'b', 'a'])
      entering(gate, name, admitted).catch(() => undefined);
    for (const leave of leaves) {
      leave();
      leave();
      await new Promise(setImmediate);
    }
    expect(admitted).toEqual(['a', 'b', 'greedy']);
  });

  it('refuses when the line is full, or the wait is over', async () => {
    const gate = gateOf({ capacity: 1, perCaller: 1, maxWaiting: 1, waitMs: 1 });
    const leave = gate.enter('a') as () => void;
    const waiting = gate.enter('b');
    expect(() => gate.enter('c')).toThrow(expect.objectContaining({ code: 'OVERLOADED' }) as Error);
    await expect(waiting).rejects.toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 1 });
    expect(gate.waitingCount).toBe(0);
    leave();
    expect(gate.runningCount).toBe(0);
  });

  it('has room in a line that one caller has filled: the last of those who have the most in it gives way', async () => {
    const gate = gateOf({ capacity: 1, perCaller: 1, maxWaiting: 4 });
    const admitted: string[] = [];
    const leave = gate.enter('first') as () => void;
    const [greedy, later, last] = ['greedy', 'greedy', 'greedy'].map((name) => gate.enter(name));
    const other = gate.enter('other');
    const modest = entering(gate, 'modest', admitted);
    await expect(last).rejects.toMatchObject({ code: 'OVERLOADED' });
    const another = entering(gate, 'another', admitted);
    await expect(later).rejects.toMatchObject({ code: 'OVERLOADED' });
    // Who would have as many as anybody is refused himself.
    expect(() => gate.enter('too late')).toThrow(
      expect.objectContaining({ code: 'OVERLOADED' }) as Error,
    );
    expect(gate.waitingCount).toBe(4);
    leave();
    for (const next of [greedy, other, modest, another]) (await next)?.();
    expect(admitted).toEqual(['modest', 'another']);
    expect([gate.waitingCount, gate.runningCount]).toEqual([0, 0]);
  });

  it('admits everybody in the end, never more than it may, and forgets nobody’s place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c'), leaves: fc.boolean() }), {
          maxLength: 60,
        }),
        async (steps) => {
          const gate = gateOf();
          const inside: { name: string; leave: () => void }[] = [];
          let entered = 0;
          const leaveOne = async () => {
            inside.shift()?.leave();
            await new Promise(setImmediate);
          };
          for (const { name, leaves } of steps) {
            Promise.resolve(gate.enter(name)).then(
              (leave) => {
                entered += 1;
                inside.push({ name, leave });
              },
              () => undefined,
            );
            await new Promise(setImmediate);
            expect(inside.length).toBeLessThanOrEqual(4);
            for (const each of ['a', 'b', 'c'])
              expect(inside.filter((one) => one.name === each).length).toBeLessThanOrEqual(3);
            if (leaves) await leaveOne();
          }
          while (inside.length > 0) await leaveOne();
          expect(entered).toBe(steps.length);
          expect([gate.runningCount, gate.waitingCount]).toEqual([0, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
