import { describe, expect, it } from 'vitest';
import { createMemoryStore } from './memory-store.ts';

const place = { partition: 0, offset: 1n };

describe('a state in memory', () => {
  it('keeps a copy, deletes by tombstone, and never goes back to an older version', async () => {
    const store = createMemoryStore();
    const answer = Buffer.from('v2v9');
    await store.applyBatch({
      positions: [{ partition: 0, nextOffset: 5n, mark: 'm' }],
      entries: [
        { key: 'a', version: 2, value: answer.subarray(0, 2), ...place },
        { key: 'b', version: 9, value: answer.subarray(2), ...place },
      ],
    });
    answer.fill(0);
    await store.applyBatch({
      positions: [{ partition: 0, nextOffset: 8n, mark: 'n' }],
      entries: [
        { key: 'a', version: 1, value: Buffer.from('v1'), ...place },
        { key: 'b', version: undefined, value: undefined, ...place },
      ],
    });
    expect([...store.entries()]).toEqual([['a', { version: 2, value: Buffer.from('v2') }]]);
    expect(store.size).toBe(1);
    expect((await store.positions()).partitions).toEqual(
      new Map([[0, { partition: 0, nextOffset: 8n, mark: 'n' }]]),
    );
    await store.clear(5);
    expect(store.size).toBe(0);
    const { partitions, currentAtMs } = await store.positions();
    expect(partitions.size).toBe(0);
    expect(currentAtMs).toBe(5);
  });
});
