import { randomBytes } from 'node:crypto';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryParkedKeys, type ParkedEvent, type ParkedKeys } from './parked-keys.ts';
import { createPgParkedKeys, parkedKeyDdl } from './pg-parked-keys.ts';

const parkedEvent = (eid: string, offset: bigint, place: object = {}): ParkedEvent => ({
  eid,
  place: { partition: 0, offset, timestampMs: 100, ...place },
});

const clockBack = (topicId: string) => parkedEvent('e2', 4n, { timestampMs: 101, topicId });

/** Not to be compressed: of a text that can be, an index takes more. */
const long = randomBytes(9000).toString('base64');
const foreignTexts: [string, string][] = [
  ['empty', ''],
  ['long', long],
  ['NUL', 'a\0b'],
  ['half a pair', 'a\ud800'],
  ['the other half', 'a\udc00'],
  ['long with NUL', `\0${long}`],
  ['bytes', '\\x00ff'],
  ['like a form of ours', '\\json:"a"'],
];

let server: PostgresServer;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres({});
  pool = new pg.Pool({ connectionString: await server.createDatabase('parked') });
  await pool.query(parkedKeyDdl());
  await pool.query(parkedKeyDdl());
});
afterAll(async () => {
  await pool?.end();
  await server?.close();
});

describe.each<[string, () => ParkedKeys]>([
  ['in Postgres', () => createPgParkedKeys(pool)],
  ['in memory', () => createMemoryParkedKeys()],
])('parked keys %s', (_, create) => {
  it('are those of one group and topic, until they are released', async () => {
    const keys = create();
    const scope = { group: 'g', topic: 't' };
    await keys.park(scope, 'a', parkedEvent('e1', 5n, { topicId: 'id' }));
    await keys.park(scope, 'a', parkedEvent('e2', 6n));
    await keys.park(scope, 'b', parkedEvent('e3', 7n));
    expect(await keys.list(scope)).toEqual(new Set(['a', 'b']));
    for (const other of [
      { group: 'h', topic: 't' },
      { group: 'g', topic: 'u' },
    ])
      expect(await keys.parkedFor(other, 'a')).toBeUndefined();
    expect(await keys.parkedFor(scope, 'a')).toEqual(parkedEvent('e1', 5n, { topicId: 'id' }));
    expect(await keys.release(scope, 'a')).toBe(true);
    expect(await keys.release(scope, 'a')).toBe(false);
    expect(await keys.list(scope)).toEqual(new Set(['b']));
    await keys.release(scope, 'b');
  });

  it.each([
    ['of an earlier event, when one is parked', parkedEvent('e2', 4n), 'e2'],
    ['and not of a later one', parkedEvent('e2', 6n), 'e1'],
    ['nor of one in another partition', parkedEvent('e2', 4n, { partition: 1 }), 'e1'],
    [
      'nor of one in a topic that was made again',
      parkedEvent('e2', 4n, { timestampMs: 101 }),
      'e1',
    ],
    ['nor of one whose place nobody knows', { eid: 'e2', place: undefined }, 'e1'],
    ['of an earlier one of the same topic, also if a clock was set back', clockBack('id'), 'e2'],
    ['but not of one in a topic that is another by its id', clockBack('other'), 'e1'],
  ])('are %s', async (_, other, first) => {
    const keys = create();
    const scope = { group: 'g', topic: 'order' };
    await keys.release(scope, 'a');
    await keys.park(scope, 'a', parkedEvent('e1', 5n, { topicId: 'id' }));
    await keys.park(scope, 'a', other);
    expect((await keys.parkedFor(scope, 'a'))?.eid).toBe(first);
  });

  it('are written by the member that was given the partition last, and by none before it', async () => {
    const keys = create();
    const scope = { group: 'g', topic: 'fenced' };
    const before = await keys.own?.(scope, 0);
    const other = await keys.own?.(scope, 1);
    await keys.park(scope, 'a', parkedEvent('e1', 5n), before);
    const after = await keys.own?.(scope, 0);
    const refused = {
      code: 'DEAD_LETTER_FAILED',
      message: expect.stringContaining('another member') as string,
    };
    await expect(keys.park(scope, 'b', parkedEvent('e2', 6n), before)).rejects.toMatchObject(
      refused,
    );
    await expect(keys.park(scope, 'a', parkedEvent('e0', 4n), before)).rejects.toMatchObject(
      refused,
    );
    await expect(keys.release(scope, 'a', before)).rejects.toMatchObject(refused);
    expect(await keys.list(scope)).toEqual(new Set(['a']));
    expect((await keys.parkedFor(scope, 'a'))?.eid).toBe('e1');
    await keys.park(scope, 'a', parkedEvent('e0', 4n), after);
    await keys.park(
      scope,
      'c',
      { ...parkedEvent('e3', 1n), place: { partition: 1, offset: 1n, timestampMs: 1 } },
      other,
    );
    expect((await keys.parkedFor(scope, 'a'))?.eid).toBe('e0');
    expect(await keys.release(scope, 'a', after)).toBe(true);
    expect(await keys.release(scope, 'a', after)).toBe(false);
    expect(await keys.list(scope)).toEqual(new Set(['c']));
    await keys.release(scope, 'c');
  });

  it.each(foreignTexts)('may have any key, and any event id: %s', async (_, text) => {
    const keys = create();
    const scope = { group: 'g', topic: `foreign ${_}` };
    const owner = await keys.own?.(scope, 0);
    const event = parkedEvent(text, 5n);
    await keys.park(scope, text, event, owner);
    await keys.park(scope, `${text}.`, parkedEvent('other', 6n), owner);
    await keys.park(scope, text, parkedEvent('later', 7n), owner);
    expect(await keys.list(scope)).toEqual(new Set([text, `${text}.`]));
    expect(await keys.parkedFor(scope, text)).toEqual(event);
    expect(await keys.release(scope, text, owner)).toBe(true);
    expect(await keys.list(scope)).toEqual(new Set([`${text}.`]));
  });

  it('may have any time that a record may have', async () => {
    const keys = create();
    const scope = { group: 'g', topic: 'times' };
    for (const timestampMs of [Number(2n ** 63n - 1n), Number(-(2n ** 63n)), -1, 1.7e18]) {
      await keys.park(scope, 'a', parkedEvent('e', 5n, { timestampMs }));
      expect(await keys.parkedFor(scope, 'a')).toEqual(parkedEvent('e', 5n, { timestampMs }));
      await keys.release(scope, 'a');
    }
  });
});

it('finds a long key again that an earlier release has parked', async () => {
  const scope = { group: 'g', topic: 'long' };
  const [key, other] = ['x'.repeat(5000), 'ж'.repeat(400)];
  await pool.query('alter table parked_key drop column long_key');
  for (const each of [key, other])
    await pool.query(
      `insert into parked_key (consumer_group, topic, key, first_eid) values ('g', 'long', $1, 'e1')`,
      [each],
    );
  for (let run = 0; run < 2; run += 1) await pool.query(parkedKeyDdl());
  const keys = createPgParkedKeys(pool);
  expect(await keys.list(scope)).toEqual(new Set([key, other]));
  expect((await keys.parkedFor(scope, key))?.eid).toBe('e1');
  for (const each of [key, other]) expect(await keys.release(scope, each)).toBe(true);
});

it('knows the event of a key that an earlier release has parked by its id', async () => {
  await pool.query('create schema old');
  await pool.query(`create table old.parked_key (consumer_group text not null, topic text not null, key text not null,
    first_eid text not null, parked_at timestamptz not null default now(), primary key (consumer_group, topic, key));
    insert into old.parked_key values ('g', 't', 'a', 'e1')`);
  for (let run = 0; run < 2; run += 1) await pool.query(parkedKeyDdl({ schema: 'old' }));
  const keys = createPgParkedKeys(pool, { schema: 'old' });
  const scope = { group: 'g', topic: 't' };
  await keys.park(scope, 'a', parkedEvent('e0', 1n));
  expect(await keys.parkedFor(scope, 'a')).toEqual({ eid: 'e1', place: undefined });
});
