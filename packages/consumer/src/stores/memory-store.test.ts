import { describe, expect, it } from 'vitest';
import { createMemoryStore } from './memory-store.ts';

describe('a state in memory', () => {
  it('keeps a copy, deletes by tombstone, and never goes back to an older version', async () => {
    const store = createMemoryStore();
    const answer = Buffer.from('v2v9');
    await store.applyBatch({
      partition: 0,
      nextOffset: 5n,
      entries: [
        { key: 'a', version: 2, value: answer.subarray(0, 2) },
        { key: 'b', version: 9, value: answer.subarray(2) },
      ],
    });
    answer.fill(0);
    await store.applyBatch({
      partition: 0,
      nextOffset: 8n,
      entries: [
        { key: 'a', version: 1, value: Buffer.from('v1') },
        { key: 'b', version: undefined, value: undefined },
      ],
    });
    expect([...store.entries()]).toEqual([['a', { version: 2, value: Buffer.from('v2') }]]);
    expect(store.size).toBe(1);
    expect((await store.positions()).offsets).toEqual(new Map([[0, 8n]]));
    await store.clear();
    expect(store.size).toBe(0);
    expect((await store.positions()).offsets.size).toBe(0);
  });
});
