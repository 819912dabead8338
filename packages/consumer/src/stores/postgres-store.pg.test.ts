import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgresStore, stateTableDdl } from './postgres-store.ts';
import type { StateEntry } from './state-store.ts';

let postgres: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  postgres = await startPostgres();
  pool = new pg.Pool({ connectionString: await postgres.createDatabase('stores') });
  await pool.query('create schema warehouse');
});
afterAll(async () => {
  await pool.end();
  await postgres.close();
});
beforeEach(() => pool.query('drop table if exists state, state_position'));

const put = (key: string, version: number | undefined, value: string | undefined): StateEntry => ({
  key,
  version,
  value: value === undefined ? undefined : Buffer.from(value),
});
const open = (table = 'state', topic = 'topic') => openPostgresStore(pool, { table, topic });
const rows = async () =>
  (
    await pool.query<{ key: string; version: string; value: string }>(
      'select key, version, value::text as value from state order by key',
    )
  ).rows.map(({ key, version, value }) => [key, version, value]);

describe('a state in Postgres', () => {
  it('keeps the bytes of the value, deletes by tombstone, and never goes back to an older version', async () => {
    const store = await open();
    await store.applyBatch({
      partition: 0,
      nextOffset: 3n,
      entries: [
        put('a', 2, '{"n": 1.50,  "q":"\\"\\\\{},"}'),
        put('b', 1, '{"x":null}'),
        put('c', undefined, '"ä€😀"'),
      ],
    });
    await store.applyBatch({
      partition: 0,
      nextOffset: 6n,
      entries: [put('a', 1, '{}'), put('b', undefined, undefined), put('c', undefined, '3')],
    });
    expect(await rows()).toEqual([
      ['a', '2', '{"n": 1.50,  "q":"\\"\\\\{},"}'],
      ['c', null, '3'],
    ]);
    await store.applyBatch({
      partition: 0,
      nextOffset: 8n,
      entries: [put('a', 1, undefined), put('c', 1, undefined)],
    });
    expect((await rows()).map(([key]) => key)).toEqual(['a']);
  });

  it('writes state and position together or not at all', async () => {
    const store = await open();
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [put('a', 1, '{}')] });
    await expect(
      store.applyBatch({
        partition: 0,
        nextOffset: 3n,
        entries: [put('b', 1, '{}'), put('c', 1, 'not json')],
      }),
    ).rejects.toThrow('json');
    expect((await rows()).map(([key]) => key)).toEqual(['a']);
    expect((await (await open()).positions()).offsets).toEqual(new Map([[0, 1n]]));
    // And goes on after it.
    await store.applyBatch({ partition: 0, nextOffset: 3n, entries: [put('b', 1, '{}')] });
    expect((await (await open()).positions()).offsets).toEqual(new Map([[0, 3n]]));
  });

  it('remembers when it was current, which writing alone does not change', async () => {
    const store = await open();
    await store.clear();
    await store.confirm(1000);
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [] });
    await store.applyBatch({ partition: 1, nextOffset: 1n, entries: [] });
    expect((await (await open()).positions()).currentAtMs).toBe(1000);
    await store.confirm(5000);
    expect((await (await open()).positions()).currentAtMs).toBe(5000);
    const before = Date.now();
    await store.clear();
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [] });
    expect((await (await open()).positions()).currentAtMs).toBeGreaterThanOrEqual(before);
  });

  it('refuses a second writer', async () => {
    const first = await open();
    const second = await open();
    await first.positions();
    await second.positions();
    await first.applyBatch({ partition: 0, nextOffset: 2n, entries: [put('a', 1, '1')] });
    await expect(
      second.applyBatch({ partition: 0, nextOffset: 1n, entries: [put('a', 2, '2')] }),
    ).rejects.toThrow('somebody else writes to state');
    await second.positions();
    await second.applyBatch({ partition: 0, nextOffset: 3n, entries: [] });
    await expect(
      first.applyBatch({ partition: 0, nextOffset: 4n, entries: [put('a', 9, '9')] }),
    ).rejects.toThrow('somebody else writes to state');
    expect(await rows()).toEqual([['a', '1', '1']]);
  });

  it('refuses the state of another topic, and a name that is no table name', async () => {
    const store = await open();
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [] });
    await expect(open('state', 'other')).rejects.toThrow('state holds the state of topic');
    expect(() => stateTableDdl('x; drop table y')).toThrow('no table name');
    await openPostgresStore(pool, { table: 'warehouse.product', topic: 'topic' });
  });

  it('clears state and positions', async () => {
    const store = await open();
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [put('a', 1, '1')] });
    await store.clear();
    expect(await rows()).toEqual([]);
    expect((await store.positions()).offsets.size).toBe(0);
    await store.applyBatch({ partition: 0, nextOffset: 1n, entries: [put('a', 1, '1')] });
  });
});
