import { setImmediate as turn } from 'node:timers/promises';
import type { KafkaRecord } from '@outbound/kafka';
import { describe, expect, it } from 'vitest';
import { manual, record, startDispatcher } from '../../test-support/dispatcher-rig.ts';
import { bytesOfEach } from './waiting-limits.ts';

const answerBytes = 64 << 10;

/** Records as a fetch brings them, from offset `from` on: views of its answer, of 100 bytes each; all the rest is the first one's. */
function fetched(
  from: number,
  keys: readonly string[],
  byteCount = answerBytes,
  partition = 0,
): KafkaRecord[] {
  const answer = Buffer.allocUnsafeSlow(byteCount);
  return keys.map((key, index) => ({
    ...record(partition, from + index, key),
    value: answer.subarray(
      ...(index === 0 ? [100 * keys.length] : [100 * index, 100 * index + 100]),
    ),
    headerList: () => [{ name: 'ce_id', value: answer.subarray(0, 8) }],
  }));
}

/** What the records keep in memory, by the memory that their bytes are views of. */
function aliveBytes(records: readonly KafkaRecord[]): number {
  const buffers = new Set(records.map(({ value }) => value?.buffer));
  return [...buffers].reduce((sum, buffer) => sum + (buffer?.byteLength ?? 0), 0);
}

/** Fetches of `keys` until the partition is held back, of which everything but what `isSlow` is handled at once. */
async function readUntilHeldBack(
  rig: ReturnType<typeof startDispatcher>,
  out: ReturnType<typeof manual>['out'],
  keysOf: (fetch: number) => readonly string[],
  isSlow: (record: KafkaRecord) => boolean,
): Promise<{ fetches: number; mostBytes: number }> {
  const ended = new Set<unknown>();
  let offset = 0;
  let mostBytes = 0;
  for (let fetches = 1; ; fetches += 1) {
    const keys = keysOf(fetches);
    rig.take(0, fetched(offset, keys), undefined, answerBytes);
    offset += keys.length;
    for (let before = -1; before !== ended.size;) {
      before = ended.size;
      await turn();
      for (const each of out)
        if (!isSlow(each.record) && !ended.has(each)) {
          ended.add(each);
          each.end();
        }
      await turn();
    }
    const { tracker } = rig.workOf(0);
    mostBytes = Math.max(mostBytes, aliveBytes(tracker.slice(0, tracker.end)));
    if (rig.held.has(0) || fetches === 400) return { fetches, mostBytes };
  }
}

describe('what waits behind a slow key', () => {
  const limits = { concurrency: 8, maxBytes: 1 << 20, maxEvents: 300 };
  const isSlow = ({ key }: KafkaRecord) => String(key) === 'slow';

  it('keeps its own bytes in memory, and not the answers that it came with', async () => {
    const { deliver, out } = manual();
    const rig = startDispatcher(deliver, limits);
    const keysOf = () => ['a', 'slow', 'b', 'c'];
    const { fetches, mostBytes } = await readUntilHeldBack(rig, out, keysOf, isSlow);
    // As many as may wait, and not the sixteen answers that fit the limit.
    expect(fetches).toBeGreaterThan(250);
    expect(mostBytes).toBeLessThanOrEqual(limits.maxBytes + answerBytes);
    const bytes = rig.workOf(0).keptBytes;
    expect(bytes).toBeLessThanOrEqual(limits.maxBytes + answerBytes);
  });

  it('comes in its order, byte for byte, when the key goes on', async () => {
    const { deliver, out } = manual();
    const rig = startDispatcher(deliver, limits);
    const { fetches } = await readUntilHeldBack(rig, out, () => ['a', 'slow'], isSlow);
    expect(fetches).toBeGreaterThanOrEqual(300);
    const slow = () => out.filter(({ record: each }) => isSlow(each));
    for (let at = 0; at < fetches; at += 1) {
      // A turn or two: what is handed out shares the process, and stops after some milliseconds.
      while (slow().length <= at) await turn();
      slow()[at]?.end();
    }
    await turn();
    expect(slow()).toHaveLength(fetches);
    expect(slow().map(({ record: { offset } }) => Number(offset))).toEqual(
      slow().map((_, index) => index * 2 + 1),
    );
    for (const { record: each } of slow())
      expect([each.value?.length, each.headerList()[0]?.value?.length]).toEqual([100, 8]);
    expect(rig.workOf(0).keptBytes).toBe(0);
    expect(rig.held.has(0)).toBe(false);
  });

  it('is not copied while the partition is full of events and keeps little', async () => {
    const { deliver } = manual();
    const { take, held, workOf } = startDispatcher(deliver, { ...limits, maxEvents: 2 });
    const records = fetched(0, ['a', 'slow', 'slow', 'slow', 'slow']).map((each) => ({
      ...each,
      value: each.value?.subarray(0, 100) ?? null,
    }));
    take(0, records, undefined, answerBytes);
    await turn();
    expect(held.has(0)).toBe(true);
    const { tracker } = workOf(0);
    for (const waiting of tracker.slice(2, tracker.end)) expect(records).toContain(waiting);
  });

  it('stops the partition at its limit, and what running handlers keep beyond it is an answer each', async () => {
    const { deliver, out } = manual();
    const concurrency = 100;
    const rig = startDispatcher(deliver, { ...limits, concurrency });
    const { fetches, mostBytes } = await readUntilHeldBack(
      rig,
      out,
      (fetch) => [`slow ${fetch}`, 'a'],
      ({ key }) => String(key).startsWith('slow'),
    );
    expect(fetches).toBe(concurrency + limits.maxBytes / answerBytes);
    expect(mostBytes).toBeLessThan((fetches + 1) * answerBytes);
  });
});

describe('the bytes of all partitions together', () => {
  it('are shared out equally, and never above what one may have', () => {
    const limits = { maxBytes: 8, maxBytesInAll: 64 };
    expect([0, 1, 8, 16, 64].map((count) => bytesOfEach(limits, count))).toEqual([8, 8, 8, 4, 1]);
  });

  it('hold a partition back sooner where there are many, and later again when some go', async () => {
    const { deliver } = manual();
    const limits = { partitions: 10, maxBytes: 1_000, maxBytesInAll: 2_000 };
    const { take, held, revoke } = startDispatcher(deliver, limits);
    // The second one waits: what only handlers have does not count.
    const come = (partition: number, from: number, bytes: number) =>
      take(partition, fetched(from, ['a', 'a'], bytes, partition), undefined, bytes);
    come(0, 0, 300);
    come(1, 0, 150);
    await turn();
    expect([...held]).toEqual([0]);
    await revoke([2, 3, 4, 5, 6, 7, 8, 9], 0);
    come(1, 2, 700);
    expect([...held]).toEqual([0]);
    come(1, 4, 300);
    expect([...held]).toEqual([0, 1]);
  });
});

describe('one handler that runs for long', () => {
  const isSlow = ({ key }: KafkaRecord) => String(key) === 'slow';

  it.each([
    ['1', 10, 1],
    ['40', 40, 1],
    ['70, with later events of its key in the same answer', 70, 4],
    ['200', 200, 1],
  ])('stops no other key, with partitions: %s', async (_, partitions, slowOnes) => {
    const { deliver, out } = manual();
    const rig = startDispatcher(deliver, {
      ...{ partitions, concurrency: 16, maxEvents: 1_000 },
      ...{ maxBytes: 8 * answerBytes, maxBytesInAll: 64 * answerBytes },
    });
    const others = Array.from({ length: 100 }, (_key, key) => `${key}`);
    const slow = Array.from({ length: slowOnes }, () => 'slow');
    const handled = new Set<unknown>();
    let offset = 0;
    for (let fetch = 0; fetch < 20; fetch += 1) {
      const keys = fetch === 0 ? [...slow, ...others] : others;
      rig.take(0, fetched(offset, keys), undefined, answerBytes);
      offset += keys.length;
      while (handled.size < offset - slowOnes) {
        await turn();
        for (const each of out)
          if (!isSlow(each.record) && !handled.has(each)) {
            handled.add(each);
            each.end();
          }
      }
      await turn();
      expect([fetch, rig.held.has(0)]).toEqual([fetch, false]);
    }
    expect(rig.workOf(0).tracker.unfinished).toBe(slowOnes);
  });

  it('stops no other key when its event is most of what came', async () => {
    const { deliver, out } = manual();
    const rig = startDispatcher(deliver, { partitions: 1, maxBytes: answerBytes });
    const slow = { ...record(0, 0, 'slow'), value: Buffer.alloc(answerBytes) };
    rig.take(0, [slow], undefined, answerBytes);
    expect(rig.held.has(0)).toBe(true);
    await turn();
    expect(out).toHaveLength(1);
    expect(rig.held.has(0)).toBe(false);
  });
});

describe('a batch for which no more can wait', () => {
  it.each([
    ['events', { maxEvents: 4 }, 10],
    ['bytes', { maxBytes: 1_000 }, 300],
  ])('is handed over at once (%s)', async (_, limits, byteCount) => {
    const batches: number[] = [];
    const { take } = startDispatcher(
      { one: () => true, batch: (records) => (batches.push(records.length), true) },
      { ...limits, batch: { maxEvents: 500, maxBytes: 1 << 20, maxWaitMs: 600_000 } },
    );
    for (const offset of [0, 1, 2]) take(0, [record(0, offset, 'a')], undefined, byteCount);
    await turn();
    expect(batches).toEqual([]);
    take(0, [record(0, 3, 'a')], undefined, byteCount);
    await turn();
    expect(batches).toEqual([4]);
  });
});
