import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KafkaRecord } from '@outbound/kafka';
import type { DeliverySignals } from './delivery.ts';
import { Dispatcher, type CommitPosition } from './dispatcher.ts';

type Deliver = (
  records: readonly KafkaRecord[],
  signals: DeliverySignals,
  finish: (offset: bigint) => void,
) => Promise<void>;

function record(partition: number, offset: number, key: string): KafkaRecord {
  return {
    topic: 't',
    partition,
    offset: BigInt(offset),
    timestampMs: 0,
    key: Buffer.from(key),
    headers: {},
    headerList: () => [],
    value: Buffer.alloc(10),
  };
}

/** A dispatcher over a Kafka that only remembers. */
function start(
  deliver: Deliver,
  options: { concurrency?: number; maxEvents?: number; commit?: () => Promise<void> } = {},
) {
  const held = new Set<number>();
  const committed: CommitPosition[] = [];
  const failures: unknown[] = [];
  const ignore = () => undefined;
  const dispatcher = new Dispatcher({
    deliver,
    prepare: () => Promise.resolve(),
    port: {
      pause: (_, partition) => void held.add(partition),
      resume: (_, partition) => void held.delete(partition),
      commit: async (positions) => {
        await options.commit?.();
        committed.push(...positions);
      },
    },
    concurrency: options.concurrency ?? 4,
    batch: undefined,
    limits: { maxEvents: options.maxEvents ?? 100, maxBytes: 1 << 20 },
    commitIntervalMs: 60_000,
    commitFailureLimitMs: 60_000,
    onFailure: (error) => {
      failures.push(error);
      dispatcher.close();
    },
    log: { info: ignore, warn: ignore, error: ignore },
  });
  const take = (partition: number, records: readonly KafkaRecord[]) =>
    dispatcher.take({
      topic: 't',
      partition,
      records,
      next: (records.at(-1)?.offset ?? -1n) + 1n,
    });
  return { dispatcher, take, held, committed, failures };
}

/** A handler whose deliveries end when the test says so. */
function manual() {
  const out: {
    readonly record: KafkaRecord;
    readonly signals: DeliverySignals;
    end(): void;
    fail(): void;
    giveUp(): void;
  }[] = [];
  const deliver: Deliver = (records, signals, finish) =>
    new Promise((resolve, reject) => {
      for (const each of records)
        out.push({
          record: each,
          signals,
          end: () => {
            finish(each.offset);
            resolve();
          },
          fail: () => reject(new Error('poison')),
          giveUp: () => resolve(),
        });
    });
  return { deliver, out };
}

describe('Dispatcher', () => {
  it('has at most so many out at once, and lets every partition have its turn', async () => {
    const { deliver, out } = manual();
    const { take } = start(deliver, { concurrency: 3 });
    take(
      0,
      [0, 1, 2, 3].map((offset) => record(0, offset, `a${offset}`)),
    );
    take(1, [record(1, 0, 'b')]);
    await turn();
    expect(out).toHaveLength(3);
    out[0]?.end();
    await turn();
    expect(out.map(({ record: { partition } }) => partition)).toContain(1);
    expect(out).toHaveLength(4);
  });

  it('holds a full partition back until half of it is handled', async () => {
    const { deliver, out } = manual();
    const { take, held } = start(deliver, { concurrency: 1, maxEvents: 4 });
    take(
      0,
      [0, 1, 2, 3].map((offset) => record(0, offset, 'a')),
    );
    expect(held).toContain(0);
    await turn();
    for (let n = 0; n < 2; n += 1) {
      out[n]?.end();
      await turn();
    }
    expect(held).toContain(0);
    out[2]?.end();
    await turn();
    expect(held).not.toContain(0);
  });

  it('commits what was finished before a drain, and counts nothing that ends after it', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take, committed } = start(deliver);
    take(0, [record(0, 5, 'a'), record(0, 6, 'b'), record(0, 7, 'b')]);
    await turn();
    out[0]?.end();
    await turn();
    expect(await dispatcher.drain(5)).toBe(1);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 6n }]);
    // The third was waiting behind the second, and is not begun any more.
    expect(out.map(({ record: { offset } }) => offset)).toEqual([5n, 6n]);
    expect(out[1]?.signals.abandoned.aborted).toBe(true);
    out[1]?.end();
    await turn();
    expect(dispatcher.finished).toBe(1);
  });

  it('begins a partition that comes back only when what was abandoned there has ended', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take } = start(deliver);
    take(0, [record(0, 5, 'a')]);
    await turn();
    await dispatcher.drain(1);
    take(0, [record(0, 5, 'a')]);
    await turn();
    expect(out).toHaveLength(1);
    out[0]?.giveUp();
    await turn();
    expect(out).toHaveLength(2);
  });

  it('begins nothing more after a delivery that failed for good, not even of another key', async () => {
    const { deliver, out } = manual();
    const { take, failures } = start(deliver, { concurrency: 1 });
    take(0, [record(0, 0, 'a'), record(0, 1, 'a'), record(0, 2, 'b')]);
    await turn();
    out[0]?.fail();
    await turn();
    expect(failures).toHaveLength(1);
    expect(out).toHaveLength(1);
  });

  it('begins anew where a partition begins again at a lower offset', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take, committed } = start(deliver);
    take(0, [record(0, 900, 'a')]);
    await turn();
    out[0]?.end();
    take(0, [record(0, 0, 'a')]);
    await turn();
    out[1]?.end();
    await turn();
    await dispatcher.drain(5);
    expect(committed).toEqual([{ topic: 't', partition: 0, offset: 1n }]);
  });

  it('survives a commit that Kafka refuses', async () => {
    const { deliver, out } = manual();
    const { dispatcher, take, failures } = start(deliver, {
      commit: () => Promise.reject(new Error('UNKNOWN_MEMBER_ID')),
    });
    take(0, [record(0, 0, 'a')]);
    await turn();
    out[0]?.end();
    await turn();
    expect(await dispatcher.drain(5)).toBe(0);
    expect(failures).toEqual([]);
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
            fc.record({ do: fc.constant('drain' as const) }),
          ),
          { maxLength: 40 },
        ),
        async (steps) => {
          const { deliver, out } = manual();
          const { dispatcher, take, committed } = start(deliver, { concurrency: 2 });
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
              ({ record: { partition, offset }, signals }) =>
                !signals.abandoned.aborted && !finished[partition]?.has(offset),
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
              for (const each of openOnes()) each.giveUp();
              await dispatcher.drain(1_000);
              for (const { partition, offset } of committed)
                for (let before = 0n; before < offset; before += 1n)
                  expect(finished[partition]?.has(before)).toBe(true);
              // The group joins again: everything from the committed offset on is fetched anew.
              for (const [partition, log] of logs.entries()) {
                const from =
                  committed.filter((each) => each.partition === partition).at(-1)?.offset ?? 0n;
                const again = log.slice(Number(from));
                for (const { key, offset } of again) {
                  const name = `${partition}${String(key)}`;
                  const before = last.get(name);
                  if (before !== undefined && before >= offset) last.set(name, offset - 1n);
                  finished[partition]?.delete(offset);
                }
                if (again.length > 0) take(partition, again);
              }
            }
            await turn();
            check();
            expect(openOnes().length).toBeLessThanOrEqual(2);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
