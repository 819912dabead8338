import { randomBytes } from 'node:crypto';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applyOnce } from './apply-once.ts';
import { inboxDdl } from './inbox-ddl.ts';
import { inboxHousekeeping } from './inbox-housekeeping.ts';

let server: PostgresServer;
let pool: pg.Pool;
const consumer = 'billing';

beforeAll(async () => {
  server = await startPostgres({});
  pool = new pg.Pool({ connectionString: await server.createDatabase('inbox') });
  await pool.query(inboxDdl());
  await pool.query(inboxDdl());
  await pool.query('create table effect (key text not null, version bigint)');
});
afterAll(async () => {
  await pool?.end();
  await server?.close();
});
beforeEach(async () => {
  await pool.query('truncate effect, inbox_version, inbox_event');
});

const event = (key: string, version: number | undefined, eid = `${key}-${version}`) => ({
  dataType: 'order',
  key,
  version,
  eid,
});
const apply = (each: ReturnType<typeof event>, name = consumer) =>
  applyOnce(pool, each, { consumer: name }, async (client) => {
    await client.query('insert into effect values ($1, $2)', [each.key, each.version]);
  });
const effects = async () =>
  (await pool.query<{ version: string | null }>('select version from effect')).rows.map(
    ({ version }) => version,
  );

describe('applyOnce', () => {
  it('makes the effect of each version once, and none of an older one', async () => {
    const outcomes = [];
    for (const version of [1, 1, 3, 2, 3, 4]) outcomes.push(await apply(event('a', version)));
    expect(outcomes).toEqual(['applied', 'seen', 'applied', 'seen', 'seen', 'applied']);
    expect(await effects()).toEqual(['1', '3', '4']);
  });

  it('goes by the event id where there is no version', async () => {
    expect(await apply(event('a', undefined, 'e1'))).toBe('applied');
    expect(await apply(event('a', undefined, 'e1'))).toBe('seen');
    expect(await apply(event('a', undefined, 'e2'))).toBe('applied');
  });

  it.each([-(2n ** 63n), -1n, 0n, 1_700_000_000_000_000n, 1_700_000_000_000_000_000n, 10n ** 20n])(
    'takes a record without an id whose time is %s, once',
    async (timestampMs) => {
      const eid = `t/0/5@${timestampMs}`;
      expect(await apply(event('a', undefined, eid))).toBe('applied');
      expect(await apply(event('a', undefined, eid))).toBe('seen');
    },
  );

  it('takes any key and any event id once, and two that differ in a part of it twice', async () => {
    // Not to be compressed: of a text that can be, an index takes more.
    const long = randomBytes(9000).toString('base64');
    const foreign = ['', 'a\0b', '\ud800', '\udc00', '\ufffd', long, `${long}.`, `\0${long}`];
    for (const version of [1, undefined])
      for (const outcome of ['applied', 'seen'])
        for (const text of foreign)
          expect(
            await applyOnce(
              pool,
              { dataType: 'order', key: text, version, eid: text },
              { consumer },
              () => Promise.resolve(),
            ),
          ).toBe(outcome);
  });

  it('knows long keys and ids again that an earlier release has noted', async () => {
    const text = 'x'.repeat(5000);
    const newer = 'y'.repeat(5000);
    for (const each of [text, newer]) {
      await pool.query(
        `insert into inbox_version (consumer, data_type, key, version, eid) values ('billing', 'order', $1, 5, 'e')`,
        [each],
      );
      await pool.query(
        `insert into inbox_event (consumer, data_type, eid) values ('billing', 'order', $1)`,
        [each],
      );
    }
    for (let round = 0; round < 2; round += 1) {
      expect(await apply(event(text, 5))).toBe('seen');
      expect(await apply(event('a', undefined, text))).toBe('seen');
    }
    expect(await apply(event(newer, 6))).toBe('applied');
    expect(await apply(event(newer, 5))).toBe('seen');
    expect(await apply({ ...event(newer, 5), dataType: 'invoice' })).toBe('applied');
    expect(await apply({ ...event('a', undefined, newer), dataType: 'invoice' })).toBe('applied');
  });

  it('lets every consumer see an event', async () => {
    expect(await apply(event('a', 1))).toBe('applied');
    expect(await apply(event('a', 1), 'search')).toBe('applied');
  });

  it('keeps entities of different kinds apart that have one key, and events that have one id', async () => {
    for (const version of [2, undefined])
      for (const dataType of ['order', 'invoice'])
        expect(await apply({ ...event('1', version, 'e'), dataType })).toBe('applied');
    for (const version of [1, 2, undefined])
      for (const dataType of ['order', 'invoice'])
        expect(await apply({ ...event('1', version, 'e'), dataType })).toBe('seen');
  });

  it('refuses an event of no kind', async () => {
    await expect(apply({ ...event('1', 1), dataType: '' })).rejects.toThrow('empty dataType');
  });

  it('keeps nothing of an effect that failed', async () => {
    const failing = applyOnce(pool, event('a', 1), { consumer }, async (client) => {
      await client.query("insert into effect values ('a', 1)");
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await effects()).toEqual([]);
    expect(await apply(event('a', 1))).toBe('applied');
  });

  it('refuses an effect that swallowed the error of its statement', async () => {
    const swallowing = applyOnce(pool, event('a', 1), { consumer }, async (client) => {
      await client.query('select 1/0').catch(() => undefined);
    });
    await expect(swallowing).rejects.toThrow('swallowed');
    expect(await apply(event('a', 1))).toBe('applied');
  });

  it('joins a transaction that is open', async () => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      await applyOnce(client, event('a', 1), { consumer }, () => Promise.resolve());
      await client.query('rollback');
    } finally {
      client.release();
    }
    expect(await apply(event('a', 1))).toBe('applied');
  });

  it('makes one effect when two members apply the same event at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => apply(event('a', 1))));
    expect(outcomes.filter((each) => each === 'applied')).toHaveLength(1);
    expect(await effects()).toEqual(['1']);
  });
});

describe('inboxHousekeeping', () => {
  it('forgets old event ids, and versions only if told their age', async () => {
    await apply(event('a', 1));
    await apply(event('a', undefined, 'old'));
    await pool.query("update inbox_version set seen_at = now() - interval '2 days'");
    await pool.query("update inbox_event set seen_at = now() - interval '2 days'");
    await apply(event('b', undefined, 'new'));
    const day = 86_400_000;
    expect(await inboxHousekeeping(pool, { eventsOlderThanMs: day })).toEqual({
      events: 1,
      versions: 0,
    });
    expect(await apply(event('a', 1))).toBe('seen');
    expect(
      await inboxHousekeeping(pool, { eventsOlderThanMs: day, versionsOlderThanMs: day }),
    ).toEqual({ events: 0, versions: 1 });
    expect(await apply(event('b', undefined, 'new'))).toBe('seen');
  });
});

describe('inboxDdl', () => {
  it('refuses a schema name that would need quotes', () => {
    expect(() => inboxDdl({ schema: 'a; drop' })).toThrow('must be of lower-case letters');
  });
});
