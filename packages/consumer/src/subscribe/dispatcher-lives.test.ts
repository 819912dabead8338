import { setImmediate as turn } from 'node:timers/promises';
import type { KafkaRecord } from '@outbound/kafka';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  immediate,
  keyed,
  manual,
  record,
  startDispatcher,
} from '../../test-support/dispatcher-rig.ts';

describe('The lives of partitions in a Dispatcher', () => {
  it('commits what was finished before a partition goes, and counts nothing that ends after it', async () => {
    const { deliver, out } = manual();
    const { dispatcher, assign, take, revoke, committed } = startDispatcher(deliver, {
      partitions: 0,
    });
    assign(0, 5);
    take(0, [record(0, 5, 'a'), record(0, 6, 'b'), record(0, 7, 'b')]);
    await turn();
    out[0]?.end();
    await turn();
    expect(await revoke([0], 5)).toBe(1);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 6n }]);
    // The third was waiting behind the second, and is not begun any more.
    expect(out.map(({ record: { offset } }) => offset)).toEqual([5n, 6n]);
    expect(out[1]?.life.abandoned.aborted).toBe(true);
    out[1]?.end();
    await turn();
    expect(dispatcher.finished).toBe(1);
  });

  it('does not interrupt the partitions that stay while another one goes', async () => {
    const { deliver, out } = manual();
    const { take, revoke } = startDispatcher(deliver);
    take(0, keyed(0, 'a', 'a'));
    take(1, keyed(1, 'b', 'b', 'b'));
    await turn();
    const going = revoke([0], 5_000);
    await turn();
    const stays = () => out.filter(({ record: { partition } }) => partition === 1);
    for (let n = 0; n < 3; n += 1) {
      expect(stays()).toHaveLength(n + 1);
      expect(stays()[n]?.life.isEnding).toBe(false);
      stays()[n]?.end();
      await turn();
    }
    out.find(({ record: { partition } }) => partition === 0)?.end();
    expect(await going).toBe(0);
    expect(out.filter(({ record: { partition } }) => partition === 0)).toHaveLength(1);
  });

  it('abandons a partition at once that is not ours any more, handles nothing that waits of it, and commits nothing', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take, revoke, committed } = startDispatcher(deliver, { concurrency: 1 });
    take(0, keyed(0, 'a', 'b', 'c'));
    await turn();
    out[0]?.end();
    await turn();
    dispatcher.lose([{ topic: 't', partition: 0 }]);
    expect(out[1]?.life.abandoned.aborted).toBe(true);
    out[1]?.end();
    await turn();
    await turn();
    expect(out).toHaveLength(2);
    await revoke([0], 5);
    expect(committed).toEqual([]);
    expect(dispatcher.finished).toBe(1);
  });

  it('hands out nothing more once our session is over by our own clock', async () => {
    const { deliver, out } = manual();
    let isSure = true;
    const { take } = startDispatcher(deliver, { mayHandle: () => isSure });
    take(0, keyed(0, 'a', 'a'));
    await turn();
    isSure = false;
    // Asked once a millisecond.
    for (const untilMs = performance.now() + 2; performance.now() < untilMs;);
    out[0]?.end();
    await turn();
    await turn();
    expect(out).toHaveLength(1);
  });

  it('begins a partition that comes back only when what was abandoned there has ended', async () => {
    const { deliver, out } = manual();
    const { assign, take, revoke } = startDispatcher(deliver, { partitions: 0 });
    assign(0, 5);
    take(0, [record(0, 5, 'a')]);
    await turn();
    await revoke([0], 1);
    assign(0, 5);
    take(0, [record(0, 5, 'a')]);
    await turn();
    expect(out).toHaveLength(1);
    out[0]?.giveUp();
    await turn();
    expect(out).toHaveLength(2);
  });

  it.each([
    ['too far on', 4],
    ['too far back', 1],
  ])('ends loudly, and handles nothing of it, when records come from %s', async (_, from) => {
    const { deliver, out } = manual();
    const { take, failures, revoke, committed } = startDispatcher(deliver);
    take(0, keyed(0, 'a', 'b'));
    await turn();
    for (const each of out) each.end();
    await turn();
    take(0, [record(0, 4, 'c')], from);
    await turn();
    expect(failures).toMatchObject([{ code: 'RECORDS_SKIPPED' }]);
    expect(out).toHaveLength(2);
    await revoke([0], 5);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 2n }]);
  });

  it('takes nothing of a partition that has gone', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take, failures } = startDispatcher(deliver);
    dispatcher.lose([{ topic: 't', partition: 0 }]);
    take(0, keyed(0, 'a'));
    await turn();
    expect(out).toEqual([]);
    expect(failures).toEqual([]);
  });

  it('goes on where Kafka has removed what was to come, and may commit it', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take, revoke, committed } = startDispatcher(deliver);
    take(0, keyed(0, 'a'));
    dispatcher.skip({ topic: 't', partition: 0 }, 50n);
    take(0, [record(0, 50, 'a')]);
    await turn();
    expect(dispatcher.find({ topic: 't', partition: 0 })?.tracker.position).toBe(0n);
    out[0]?.end();
    await turn();
    await revoke([0], 5);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 50n }]);
  });

  it('begins a partition anew at a lower offset when what runs has ended, and commits that', async () => {
    const { deliver, out } = manual();
    const { dispatcher, workOf, assign, take, revoke, committed } = startDispatcher(deliver, {
      partitions: 0,
    });
    assign(0, 900);
    take(0, [record(0, 900, 'a'), record(0, 901, 'a')]);
    await turn();
    const sought = dispatcher.restart(workOf(0), 3n, 5_000);
    await turn();
    out[0]?.end();
    expect(await sought).toBe(true);
    take(0, [record(0, 3, 'a')]);
    await turn();
    expect(out.map(({ record: { offset } }) => offset)).toEqual([900n, 3n]);
    await revoke([0], 5);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 3n }]);
  });

  it('commits where a partition was begun anew even if the group has just that: an older commit may be on its way', async () => {
    const { deliver } = manual();
    const { dispatcher, workOf, assign, revoke, committed } = startDispatcher(deliver, {
      partitions: 0,
    });
    assign(0, 3);
    expect(await dispatcher.restart(workOf(0), 3n, 5_000)).toBe(true);
    await revoke([0], 5);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 3n }]);
  });

  it('fetches nothing that it would throw away, while a beginning waits for what runs', async () => {
    const { deliver, out } = manual();
    const { dispatcher, workOf, take, held } = startDispatcher(deliver);
    take(0, keyed(0, 'a'));
    await turn();
    const sought = dispatcher.restart(workOf(0), 0n, 5_000);
    expect([...held]).toEqual([0]);
    out[0]?.end();
    expect(await sought).toBe(true);
  });

  it('does not begin a partition anew that goes to another member meanwhile', async () => {
    const { deliver, out } = manual();
    const { dispatcher, workOf, take, revoke } = startDispatcher(deliver);
    take(0, keyed(0, 'a'));
    await turn();
    const sought = dispatcher.restart(workOf(0), 3n, 5_000);
    const gone = revoke([0], 5_000);
    out[0]?.end();
    await gone;
    expect(await sought).toBe(false);
    expect(dispatcher.find({ topic: 't', partition: 0 })).toBeUndefined();
  });

  it('pauses partitions one by one, and over their coming and going', async () => {
    const seen: string[] = [];
    const { dispatcher, assign, take } = startDispatcher(
      immediate(({ partition, offset }) => seen.push(`${partition}/${offset}`)),
    );
    const paused = [{ topic: 't', partition: 0 }];
    dispatcher.pause(paused);
    take(0, keyed(0, 'a'));
    take(1, keyed(1, 'a'));
    await turn();
    expect(seen).toEqual(['1/0']);
    dispatcher.lose(paused);
    assign(0);
    take(0, keyed(0, 'a'));
    await turn();
    expect(seen).toEqual(['1/0']);
    dispatcher.resume(paused);
    await turn();
    expect(seen).toEqual(['1/0', '0/0']);
  });

  it('keeps the order of every key and commits no further than the first unfinished record, whatever ends when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({
              do: fc.constant('fetch' as const),
              partition: fc.nat({ max: 2 }),
              keys: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 5 }),
            }),
            fc.record({ do: fc.constant('end' as const), which: fc.nat() }),
            fc.record({
              do: fc.constantFrom('revoke' as const, 'lose' as const),
              partition: fc.nat({ max: 2 }),
            }),
          ),
          { maxLength: 40 },
        ),
        async (steps) => {
          const { deliver, out } = manual();
          const { dispatcher, assign, take, revoke, committed, failures } = startDispatcher(
            deliver,
            {
              concurrency: 2,
            },
          );
          /** What Kafka would deliver next, and the log of each partition. */
          const logs = [0, 1, 2].map(() => [] as KafkaRecord[]);
          const finished = [0, 1, 2].map(() => new Set<bigint>());
          const last = new Map<string, bigint>();
          let checked = 0;
          const check = () => {
            for (; checked < out.length; checked += 1) {
              const { partition, key, offset } = out[checked]?.record ?? record(0, 0, '');
              const name = `${partition}${String(key)}`;
              expect(offset > (last.get(name) ?? -1n)).toBe(true);
              last.set(name, offset);
            }
          };
          const openOnes = () =>
            out.filter(
              ({ record: { partition, offset }, life }) =>
                !life.isAbandoned && !finished[partition]?.has(offset),
            );
          for (const step of steps) {
            if (step.do === 'fetch') {
              const log = logs[step.partition] ?? [];
              const fresh = step.keys.map((key, index) =>
                record(step.partition, log.length + index, key),
              );
              log.push(...fresh);
              take(step.partition, fresh);
            } else if (step.do === 'end') {
              const open = openOnes();
              const each = open[step.which % Math.max(1, open.length)];
              if (each) {
                finished[each.record.partition]?.add(each.record.offset);
                each.end();
              }
            } else {
              const { partition } = step;
              for (const each of openOnes()) if (each.record.partition === partition) each.giveUp();
              if (step.do === 'revoke') await revoke([partition], 1_000);
              else dispatcher.lose([{ topic: 't', partition }]);
              for (const { partition: number, offset } of committed)
                for (let before = 0n; before < offset; before += 1n)
                  expect(finished[number]?.has(before)).toBe(true);
              // Assigned again: everything from the committed offset on is fetched anew.
              const from = committed.filter((each) => each.partition === partition).at(-1)?.offset;
              const again = (logs[partition] ?? []).slice(Number(from ?? 0n));
              for (const { key, offset } of again) {
                const name = `${partition}${String(key)}`;
                const before = last.get(name);
                if (before !== undefined && before >= offset) last.set(name, offset - 1n);
                finished[partition]?.delete(offset);
              }
              await turn();
              assign(partition, Number(from ?? 0n));
              if (again.length > 0) take(partition, again);
            }
            await turn();
            check();
            expect(openOnes().length).toBeLessThanOrEqual(2);
          }
          expect(failures).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
