import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { immediate, keyed, manual, startDispatcher } from '../../test-support/dispatcher-rig.ts';
import type { Deliver } from './dispatcher-options.ts';

describe('Dispatcher', () => {
  it('has at most so many out at once, and lets every partition have its turn', async () => {
    const { deliver, out } = manual();
    const { take } = startDispatcher(deliver, { concurrency: 3 });
    take(0, keyed(0, 'a0', 'a1', 'a2', 'a3'));
    await turn();
    expect(out).toHaveLength(3);
    take(1, keyed(1, 'b'));
    out[0]?.end();
    await turn();
    out[1]?.end();
    await turn();
    expect(out.map(({ record: { partition } }) => partition)).toContain(1);
    expect(out).toHaveLength(5);
  });

  it('takes records without a key for one lane, and none of the keys for it', async () => {
    const { deliver, out } = manual();
    const { take } = startDispatcher(deliver, { concurrency: 9 });
    take(0, keyed(0, null, null, '', 'a'));
    await turn();
    expect(out.map(({ record: { offset } }) => offset)).toEqual([0n, 2n, 3n]);
    out[0]?.end();
    await turn();
    expect(out.at(-1)?.record.offset).toBe(1n);
  });

  it('holds a full partition back until half of it is handled', async () => {
    const { deliver, out } = manual();
    const { take, held } = startDispatcher(deliver, { concurrency: 1, maxEvents: 4 });
    take(0, keyed(0, 'a', 'a', 'a', 'a'));
    expect(held).toContain(0);
    await turn();
    out[0]?.end();
    await turn();
    expect(held).toContain(0);
    out[1]?.end();
    await turn();
    expect(held).not.toContain(0);
  });

  it('goes on at once after handlers that need no waiting, and lets the process have its turns', async () => {
    let handled = 0;
    const { take, dispatcher } = startDispatcher(
      immediate(() => {
        handled += 1;
        const untilMs = performance.now() + 1;
        while (performance.now() < untilMs);
      }),
    );
    take(0, keyed(0, ...Array.from({ length: 90 }, (_, n) => `k${n % 3}`)));
    await Promise.resolve();
    const inFirstTurn = handled;
    expect(inFirstTurn).toBeGreaterThan(2);
    expect(inFirstTurn).toBeLessThan(80);
    for (let n = 0; n < 1_000 && handled < 90; n += 1) await turn();
    expect(dispatcher.finished).toBe(90);
    expect(dispatcher.find({ topic: 't', partition: 0 })?.tracker.position).toBe(90n);
  });

  it('keeps handlers that wait and handlers that do not in the order of their key', async () => {
    const order: string[] = [];
    let open: () => void = () => undefined;
    const deliver: Deliver = {
      one: ({ key, offset }) => {
        order.push(`${String(key)}${offset}`);
        return offset === 0n
          ? new Promise<boolean>((resolve) => (open = () => resolve(true)))
          : true;
      },
      batch: () => true,
    };
    const { take, dispatcher } = startDispatcher(deliver);
    take(0, keyed(0, 'a', 'b', 'a', 'a', 'b'));
    await turn();
    expect(order).toEqual(['a0', 'b1', 'b4']);
    open();
    await turn();
    expect(order).toEqual(['a0', 'b1', 'b4', 'a2', 'a3']);
    expect(dispatcher.find({ topic: 't', partition: 0 })?.tracker.position).toBe(5n);
  });

  it('begins nothing more after a delivery that failed for good, not even of another key', async () => {
    const { deliver, out } = manual();
    const { take, failures } = startDispatcher(deliver, { concurrency: 1 });
    take(0, keyed(0, 'a', 'a', 'b'));
    await turn();
    out[0]?.fail();
    await turn();
    expect(failures).toHaveLength(1);
    expect(out).toHaveLength(1);
  });

  it('hands out batches by count, by bytes and by time, one of a partition at a time', async () => {
    const batches: number[] = [];
    const ends: (() => void)[] = [];
    const deliver: Deliver = {
      one: () => true,
      batch: (records) => {
        batches.push(records.length);
        return new Promise((resolve) => ends.push(() => resolve(true)));
      },
    };
    const batch = { maxEvents: 3, maxBytes: 45, maxWaitMs: 20 };
    const { take, dispatcher } = startDispatcher(deliver, { batch });
    take(
      0,
      keyed(0, 'a', 'b', 'c', 'd', 'large enough, with its value, to be one of three bytes short'),
    );
    await turn();
    expect(batches).toEqual([3]);
    ends[0]?.();
    for (
      const untilMs = performance.now() + 5_000;
      batches.length < 3 && performance.now() < untilMs;
    ) {
      await turn();
      ends[batches.length - 1]?.();
    }
    expect(batches).toEqual([3, 1, 1]);
    ends[2]?.();
    await turn();
    expect(dispatcher.finished).toBe(5);
  });

  it('tries a commit again that Kafka refuses, while somebody waits for it', async () => {
    const { deliver, out } = manual();
    let refusals = 0;
    const { take, revoke, committed, failures } = startDispatcher(deliver, {
      commit: () => {
        refusals += 1;
        return refusals < 3 ? Promise.reject(new Error('NOT_COORDINATOR')) : Promise.resolve();
      },
    });
    take(0, keyed(0, 'a'));
    await turn();
    out[0]?.end();
    await turn();
    expect(await revoke([0], 10_000)).toBe(0);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 1n }]);
    expect(failures).toEqual([]);
  });
});
