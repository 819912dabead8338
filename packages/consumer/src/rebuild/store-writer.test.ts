import { describe, expect, it } from 'vitest';
import type { StateBatch, StateEntry } from '../stores/state-store.ts';
import { StoreWriter } from './store-writer.ts';

const entry = (key: string, version: number, bytes = 1): StateEntry => ({
  key,
  version,
  value: Buffer.alloc(bytes),
  partition: 0,
  offset: BigInt(version),
});
const at = (nextOffset: bigint, partition = 0) => ({ partition, nextOffset, mark: '' });

/** A store whose steps end when they are told to. */
function slowStore() {
  const steps: StateBatch[] = [];
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  return {
    steps,
    applyBatch(batch: StateBatch): Promise<void> {
      steps.push(batch);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    end: () => waiting.shift()?.resolve(),
    fail: (message: string) => waiting.shift()?.reject(new Error(message)),
  };
}
const isPending = async (promise: Promise<unknown>) =>
  (await Promise.race([promise.then(() => 'done'), new Promise(setImmediate)])) !== 'done';

describe('writing behind the reader', () => {
  it('writes a lone record at once, and gathers what comes meanwhile into one step', async () => {
    const store = slowStore();
    const writer = new StoreWriter(store, () => undefined);
    await writer.add([entry('a', 1)], at(2n));
    expect(store.steps).toHaveLength(1);
    await writer.add([entry('b', 2), entry('a', 3)], at(4n));
    await writer.add([entry('a', 4)], at(5n));
    await writer.add([entry('c', 1)], at(2n, 1));
    expect(store.steps).toHaveLength(1);
    const drained = writer.drain();
    store.end();
    expect(await isPending(drained)).toBe(true);
    store.end();
    await drained;
    expect(store.steps[1]?.entries.map(({ key, version }) => [key, version])).toEqual([
      ['b', 2],
      ['a', 4],
      ['c', 1],
    ]);
    expect(store.steps[1]?.positions).toEqual([at(5n), at(2n, 1)]);
  });

  it('makes the reader wait when as much has been gathered as a step may have', async () => {
    const store = slowStore();
    const writer = new StoreWriter(store, () => undefined);
    await writer.add([entry('a', 1)], at(1n));
    const full = writer.add([entry('b', 1, 9_000_000)], at(2n));
    expect(await isPending(full)).toBe(true);
    store.end();
    await full;
    expect(store.steps).toHaveLength(2);
  });

  it('ends everything when a step fails, also while nothing more comes, and writes nothing behind it', async () => {
    const store = slowStore();
    let told = 0;
    const writer = new StoreWriter(store, () => (told += 1));
    await writer.add([entry('a', 1)], at(1n));
    await writer.add([entry('b', 1)], at(2n));
    store.fail('disk full');
    await expect(writer.drain()).rejects.toThrow('disk full');
    await expect(writer.add([entry('c', 1)], at(3n))).rejects.toThrow('disk full');
    await expect(writer.discard()).rejects.toThrow('disk full');
    expect(told).toBe(1);
    expect(store.steps).toHaveLength(1);
  });

  it('throws away what waits, and waits for what is being written', async () => {
    const store = slowStore();
    const writer = new StoreWriter(store, () => undefined);
    await writer.add([entry('a', 1)], at(1n));
    await writer.add([entry('b', 1)], at(2n));
    const discarded = writer.discard();
    expect(await isPending(discarded)).toBe(true);
    store.end();
    await discarded;
    expect(store.steps).toHaveLength(1);
  });
});
