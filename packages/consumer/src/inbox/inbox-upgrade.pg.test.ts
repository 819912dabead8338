import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { applyOnce } from './apply-once.ts';
import { inboxDdl } from './inbox-ddl.ts';
import { inboxHousekeeping } from './inbox-housekeeping.ts';

/** Tables as `inboxDdl` made them before it knew kinds of entities, with what a consumer had seen. */
const tablesOfBefore = `
  create table shop.inbox_version (consumer text not null, key text not null, version bigint not null, eid text not null,
    seen_at timestamptz not null default now(), primary key (consumer, key));
  create index inbox_version_seen_at on shop.inbox_version (seen_at);
  create table shop.inbox_event (consumer text not null, eid text not null,
    seen_at timestamptz not null default now(), primary key (consumer, eid));
  create index inbox_event_seen_at on shop.inbox_event (seen_at);
  insert into shop.inbox_version values ('billing', '1', 5, 'order-1-5'), ('billing', '2', 5, 'order-2-5'), ('search', '1', 5, 'order-1-5');
  insert into shop.inbox_event values ('billing', 'e1');`;

let server: PostgresServer;
let pool: pg.Pool;
const schema = 'shop';

beforeAll(async () => {
  server = await startPostgres({});
  pool = new pg.Pool({ connectionString: await server.createDatabase('inbox'), max: 20 });
});
afterAll(async () => {
  await pool?.end();
  await server?.close();
});
beforeEach(async () => {
  await pool.query('drop schema if exists shop cascade; create schema shop');
  await pool.query(tablesOfBefore);
  await pool.query('create table shop.effect (eid text, n serial)');
  for (let run = 0; run < 2; run += 1) await pool.query(inboxDdl({ schema }));
});

const apply = (dataType: string, key: string, version: number | undefined, eid: string) =>
  applyOnce(
    pool,
    { dataType, key, version, eid },
    { consumer: 'billing', schema },
    async (client) => {
      await client.query('insert into shop.effect (eid) values ($1)', [eid]);
    },
  );
const order = (key: string, version: number) =>
  apply('order', key, version, `order-${key}-${version}`);
const effects = async () =>
  (await pool.query<{ eid: string }>('select eid from shop.effect order by n')).rows.map(
    ({ eid }) => eid,
  );

it('knows the event again that was seen last, and takes the next ones', async () => {
  expect(await order('1', 5)).toBe('seen');
  expect(await order('1', 5)).toBe('seen');
  expect(await order('1', 4)).toBe('seen');
  expect(await order('1', 6)).toBe('applied');
  expect(await apply('order', '9', undefined, 'e1')).toBe('seen');
  expect(await apply('order', '9', undefined, 'e1')).toBe('seen');
  expect(await apply('order', '9', undefined, 'e2')).toBe('applied');
  expect(await effects()).toEqual(['order-1-6', 'e2']);
});

it('loses no effect of another kind of entity with that key', async () => {
  expect(await apply('invoice', '1', 1, 'invoice-1-1')).toBe('applied');
  expect(await apply('invoice', '1', 1, 'invoice-1-1')).toBe('seen');
  expect(await effects()).toEqual(['invoice-1-1']);
});

it('makes effects of older events again, in order up to the newest, rather than to lose one', async () => {
  for (const version of [3, 4, 5, 5]) await order('1', version);
  expect(await effects()).toEqual(['order-1-3', 'order-1-4', 'order-1-5']);
});

it('keeps what was seen by whom, and what it was, once someone says the kind', async () => {
  await pool.query(
    `update shop.inbox_version set data_type = 'order' where consumer = 'billing' and data_type = ''`,
  );
  expect(await order('1', 4)).toBe('seen');
  expect(await apply('invoice', '1', 1, 'invoice-1-1')).toBe('applied');
  const { rows } = await pool.query(
    'select consumer, data_type, key, version::int from shop.inbox_version order by 1, 2, 3',
  );
  expect(rows.map((row: object) => Object.values(row).join(' '))).toEqual([
    'billing invoice 1 1',
    'billing order 1 5',
    'billing order 2 5',
    'search  1 5',
  ]);
});

it('keeps the row of before where the effect failed', async () => {
  const failing = applyOnce(
    pool,
    { dataType: 'invoice', key: '1', version: 1, eid: 'x' },
    { consumer: 'billing', schema },
    () => Promise.reject(new Error('no')),
  );
  await expect(failing).rejects.toThrow('no');
  expect(await order('1', 5)).toBe('seen');
});

it('makes one effect of each version, and none after a later one, when many members meet the row at once', async () => {
  const versions = [4, 5, 6, 7, 8];
  await Promise.all(versions.flatMap((version) => [1, 2, 3].map(() => order('1', version))));
  const made = (await effects()).map((eid) => Number(eid.at(-1)));
  expect(made).toEqual([...new Set(made)].sort());
  expect(made.at(-1)).toBe(8);
  const { rows } = await pool.query(
    `select data_type, version::int from shop.inbox_version where consumer = 'billing' and key = '1'`,
  );
  expect(rows).toEqual([{ data_type: 'order', version: 8 }]);
});

it('makes members of the version before fail without an effect, rather than mix entities', async () => {
  const asBefore = pool.query(
    `insert into shop.inbox_version as seen (consumer, key, version, eid) values ('billing', '1', 6, 'e')
     on conflict (consumer, key) do update set version = excluded.version where seen.version < excluded.version`,
  );
  await expect(asBefore).rejects.toThrow('ON CONFLICT');
});

it('is kept by the housekeeping like any other', async () => {
  await pool.query(`update shop.inbox_version set seen_at = now() - interval '2 days'`);
  expect(
    await inboxHousekeeping(pool, {
      schema,
      eventsOlderThanMs: 1e9,
      versionsOlderThanMs: 86_400_000,
    }),
  ).toEqual({ events: 0, versions: 3 });
});

it('knows a record without an id again that an earlier release had called by its place alone', async () => {
  const madeMs = Date.now() - 60_000;
  const places = ['t/0/5', 't/0/6'].map((place) => [place, `${place}@${madeMs}`] as const);
  for (const [before] of places) await apply('order', '', undefined, before);
  for (const [, now] of places) expect(await apply('order', '', undefined, now)).toBe('seen');
  expect(await apply('order', '', undefined, `t/0/7@${madeMs}`)).toBe('applied');
  expect(await apply('invoice', '', undefined, `t/0/5@${madeMs}`)).toBe('applied');
});

it('takes the record for new that has the place in a topic that was made again', async () => {
  await apply('order', '', undefined, 't/0/5');
  const madeAgainMs = Date.now() + 60_000;
  expect(await apply('order', '', undefined, `t/0/5@${madeAgainMs}`)).toBe('applied');
  expect(await apply('order', '', undefined, `t/0/5@${madeAgainMs}`)).toBe('seen');
});
