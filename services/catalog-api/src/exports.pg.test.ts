import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send, type Reply } from './test-support/http-client.ts';
import { linesOf, readRest } from './test-support/ndjson.ts';

/** An export is the state of one moment, says from where the topic goes on, and never looks whole when it is not. */
const count = 1_200;
let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
  await catalog.admin.query(`
    insert into product (id, sku, name, attributes, status, version, deleted_at)
    select format('019376e4-8c3a-7c7e-a1b2-%s', lpad(to_hex(i), 12, '0'))::uuid, 'SKU-' || i, 'Name of ' || i,
      json_build_object('a', repeat('x', i % 700), 'n', 12345678901234567890), 'ACTIVE', 1,
      case when i > ${count} then now() end
    from generate_series(1, ${count} + 5) i`);
});
afterAll(() => catalog.close());

/** Whoever reads the row with this id as the API waits there until the gate is opened. */
async function closeGateAt(id: string) {
  const { admin } = catalog;
  await admin.query(`
    create function pass_gate() returns boolean language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(4711); return true; end $$;
    create policy gate on product to outbound_api using (case when id = '${id}' then pass_gate() else true end);
    alter table product enable row level security;
    select pg_advisory_lock(4711)`);
  return {
    /** For how long somebody has waited, by the server's clock; -1 if nobody does. */
    waitedMs: async (): Promise<number> => {
      const { rows } = await admin.query<{ ms: number }>(
        `select coalesce(max(extract(epoch from clock_timestamp() - query_start)) * 1000, -1)::int as ms
          from pg_stat_activity where wait_event = 'advisory' and query not like '%insert into%'`,
      );
      return rows[0]?.ms ?? -1;
    },
    open: () => admin.query('select pg_advisory_unlock_all()'),
    [Symbol.asyncDispose]: async () => {
      await admin.query(`select pg_advisory_unlock_all();
        alter table product disable row level security; drop policy gate on product; drop function pass_gate()`);
    },
  };
}

const idOf = (i: number): string => `019376e4-8c3a-7c7e-a1b2-${i.toString(16).padStart(12, '0')}`;
const exportOf = (url: string, query = ''): Promise<Reply> =>
  send(url, 'GET', `/products/export${query}`);

async function openExport(url: string, headers = {}): Promise<IncomingMessage> {
  const sent = request(`${url}/products/export`, { agent: false, headers });
  sent.on('error', () => undefined).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function snapshotsHeld(): Promise<number> {
  const { rows } = await catalog.admin.query<{ held: number }>(
    `select count(*)::int as held from pg_stat_activity
      where application_name = 'catalog-api' and backend_xmin is not null`,
  );
  return rows[0]?.held ?? -1;
}

describe('an export', () => {
  it('has every live product once, by id, in the very text of GET, between a head and an end', async () => {
    const reply = await exportOf(catalog.url);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/x-ndjson');
    const texts = reply.text.split('\n');
    expect(texts).toHaveLength(count + 3);
    const [head = {}, ...rest] = linesOf(reply.text);
    const { position, at } = head['export'] as Record<string, unknown>;
    expect(head).toEqual({ export: { event_type: 'catalog.product-change', position, at } });
    expect(new Date(String(at)).toISOString()).toBe(at);
    expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    expect(rest.at(-1)).toEqual({ end: { count, position } });
    expect(rest.slice(0, -1).map(({ id }) => id)).toEqual(
      Array.from({ length: count }, (_, i) => idOf(i + 1)),
    );
    expect(texts[700]).toBe((await send(catalog.url, 'GET', `/products/${idOf(700)}`)).text);
  });

  it('is gzip where the caller takes that, and plain where not', async () => {
    const bytesOf = async (headers: Record<string, string>) => {
      const response = await openExport(catalog.url, headers);
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      expect(response.headers.vary).toBe('accept-encoding');
      return { coding: response.headers['content-encoding'], bytes: Buffer.concat(pieces) };
    };
    const zipped = await bytesOf({ 'accept-encoding': 'br;q=1, gzip' });
    const plain = await bytesOf({ 'accept-encoding': 'gzip;q=0' });
    expect([zipped.coding, plain.coding]).toEqual(['gzip', undefined]);
    expect(zipped.bytes.length).toBeLessThan(plain.bytes.length / 4);
    const withoutPosition = (bytes: Buffer) =>
      bytes.toString().replaceAll(/"(position|at)":"[^"]+"/g, '');
    expect(withoutPosition(gunzipSync(zipped.bytes))).toBe(withoutPosition(plain.bytes));
  });

  it('goes on behind an id', async () => {
    const reply = await exportOf(catalog.url, `?after=${idOf(count - 2)}`);
    const [head, ...rest] = linesOf(reply.text);
    expect(head).toMatchObject({ export: { after: idOf(count - 2) } });
    expect(rest.slice(0, -1).map(({ id }) => id)).toEqual([idOf(count - 1), idOf(count)]);
    expect(rest.at(-1)).toMatchObject({ end: { count: 2 } });
    const none = linesOf((await exportOf(catalog.url, `?after=${idOf(count)}`)).text);
    expect(none.at(-1)).toMatchObject({ end: { count: 0 } });
    expectProblem(await exportOf(catalog.url, '?after=7'), 400, 'validation-failed');
    expectProblem(await exportOf(catalog.url, '?limit=7'), 400, 'validation-failed');
    expectProblem(await send(catalog.url, 'POST', '/products/export'), 405, 'method-not-allowed');
    expect((await send(catalog.url, 'HEAD', '/products/export')).status).toBe(405);
  });

  it('is there for every kind of entity', async () => {
    await send(catalog.url, 'POST', '/categories', { body: '{"code":"shoes","name":"Shoes"}' });
    const lines = linesOf((await send(catalog.url, 'GET', '/categories/export')).text);
    expect(lines.map(({ code }) => code)).toEqual([undefined, 'shoes', undefined]);
  });
});

describe('the position', () => {
  it('is never behind a commit that is in the log and cannot be seen yet', async () => {
    // A synchronous standby that is not there: what commits is in the log, and visible to nobody.
    const standby = async (name: string) => {
      await catalog.admin.query(`alter system set synchronous_standby_names = '${name}'`);
      await catalog.admin.query('select pg_reload_conf()');
    };
    let created: Promise<Reply>;
    let exported: Promise<Reply>;
    // Whatever happens, or all that comes after waits for nobody.
    try {
      await standby('nobody');
      await eventually(async () => {
        const { rows } = await catalog.admin.query('show synchronous_standby_names');
        return (rows[0] as Record<string, unknown>)['synchronous_standby_names'] === 'nobody';
      });
      created = send(catalog.url, 'POST', '/products', { body: '{"sku":"IN-LOG","name":"N"}' });
      await eventually(async () => {
        const { rows } = await catalog.admin.query(
          `select 1 from pg_stat_activity where wait_event = 'SyncRep'`,
        );
        return rows.length > 0;
      });
      let isThere = false;
      exported = exportOf(catalog.url).finally(() => (isThere = true));
      // It has asked who writes, and waits.
      await eventually(async () => {
        const { rows } = await catalog.admin.query(
          `select 1 from pg_stat_activity where query like '%pg_locks%' and application_name = 'catalog-api'`,
        );
        return rows.length > 0 || isThere;
      });
      expect(isThere).toBe(false);
    } finally {
      await standby('');
    }
    const id = (await created).json['id'];
    const lines = linesOf((await exported).text);
    expect(lines.some((line) => line['id'] === id)).toBe(true);
  });

  it('leads to the final state with the events from there on, whoever writes meanwhile', async () => {
    await catalog.admin.query(
      `select pg_create_logical_replication_slot('export_test', 'pgoutput')`,
    );
    let isWriting = true;
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; isWriting; i++) {
        const body = `{"sku":"W${writer}-${i}","name":"N"}`;
        const created = await send(catalog.url, 'POST', '/products', { body });
        const path = `/products/${String(created.json['id'])}`;
        const headers = { 'if-match': '*', 'content-type': 'application/merge-patch+json' };
        const old = `/products/${idOf(1 + ((writer * 300 + i) % count))}`;
        await send(catalog.url, 'PATCH', old, { body: `{"name":"Changed ${i}"}`, headers });
        if (i % 2 === 0) await send(catalog.url, 'DELETE', path, { headers: { 'if-match': '*' } });
      }
    };
    const writers = [0, 1, 2].map(write);
    const exports: string[] = [];
    for (let i = 0; i < 6; i++) {
      const { status, text } = await exportOf(catalog.url);
      expect(status, text.slice(0, 500)).toBe(200);
      exports.push(text);
    }
    isWriting = false;
    await Promise.all(writers);
    const events = await committedEvents(catalog);
    expect(events.length).toBeGreaterThan(20);
    const final = stateOf(linesOf((await exportOf(catalog.url)).text));
    for (const text of exports) {
      const lines = linesOf(text);
      const { position } = lines[0]?.['export'] as { position: string };
      const from = lsn(position);
      const state = stateOf(lines);
      // What is before the position is in it already.
      for (const { commitLsn, id, version } of events.filter((event) => event.commitLsn < from))
        expect([id, commitLsn, (state.get(id)?.version ?? Infinity) >= version]).toEqual([
          id,
          commitLsn,
          true,
        ]);
      for (const { id, version, isDeletion } of events.filter((event) => event.commitLsn >= from)) {
        if (version <= (state.get(id)?.version ?? 0)) continue;
        state.set(id, { version, isLive: !isDeletion });
      }
      expect(live(state)).toEqual(live(final));
    }
  });
});

interface Standing {
  readonly version: number;
  readonly isLive: boolean;
}
const stateOf = (lines: readonly Record<string, unknown>[]): Map<string, Standing> =>
  new Map(
    lines
      .filter((line) => 'id' in line)
      .map(({ id, version }) => [String(id), { version: Number(version), isLive: true }]),
  );
const live = (state: ReadonlyMap<string, Standing>): readonly (readonly [string, number])[] =>
  [...state]
    .filter(([, { isLive }]) => isLive)
    .map(([id, { version }]) => [id, version] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));

function lsn(text: string): bigint {
  const [high = '', low = ''] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** The events with the position of their commit record, which the relay publishes as `source_lsn`; by what pgoutput says at the begin of each transaction. */
async function committedEvents({ admin }: TestCatalog) {
  const { rows } = await admin.query<{
    xid: string;
    commitLsn: string;
    id: string;
    version: number;
    op: string;
  }>(`
    with begun as (
      select xid::text, ('x' || encode(substr(data, 2, 8), 'hex'))::bit(64)::bigint::text as "commitLsn"
      from pg_logical_slot_get_binary_changes('export_test', null, null,
        'proto_version', '1', 'publication_names', 'outbound')
      where get_byte(data, 0) = ascii('B'))
    select begun.*, aggregateid as id, version::int, data_op as op
    from begun join outbox on outbox.xmin::text = begun.xid
    order by begun."commitLsn"::bigint`);
  return rows.map(({ commitLsn, id, version, op }) => ({
    commitLsn: BigInt(commitLsn),
    id,
    version,
    isDeletion: op === 'D',
  }));
}

describe('an export that breaks', () => {
  it('does not look whole: it says why, has no end, and the connection is cut', async () => {
    const timeoutMs = 1_000;
    const service = await catalog.startAnother({ exportTimeoutMs: String(timeoutMs) });
    // In what is read first: however slow the rest is, it began in time.
    await using gate = await closeGateAt(idOf(1));
    const reading = openExport(`http://127.0.0.1:${service.port}`).then(readRest);
    // It began to read before this question of it did.
    await eventually(async () => (await gate.waitedMs()) > timeoutMs);
    await gate.open();
    const { text, isWhole } = await reading;
    const lines = linesOf(text);
    expect(lines.at(-1)).toMatchObject({ problem: { type: '/problems/unavailable' } });
    // What was being read is told, and nothing behind it.
    const last = String(lines.at(-2)?.['id']);
    expect(last >= idOf(1) && last < idOf(count)).toBe(true);
    expect(isWhole).toBe(false);
  });

  it('gives the snapshot back when its caller goes', async () => {
    const response = await openExport(catalog.url);
    await eventually(async () => (await snapshotsHeld()) > 0);
    response.destroy();
    await eventually(async () => (await snapshotsHeld()) === 0);
  });

  it('is ended when nobody reads it, and others have places meanwhile', async () => {
    await catalog.admin.query(
      `update product set version = version + 1,
        attributes = json_build_object('a', (select string_agg(md5(sku || part), '') from generate_series(1, 1200) part))
      where id <= $1 and deleted_at is null`,
      [idOf(400)],
    );
    const service = await catalog.startAnother({ answerTimeoutMs: '1000', maxExports: '1' });
    const url = `http://127.0.0.1:${service.port}`;
    const reader = connect(service.port, '127.0.0.1');
    reader.on('error', () => undefined).pause();
    reader.write('GET /products/export HTTP/1.1\r\nhost: a\r\n\r\n');
    await eventually(async () => (await snapshotsHeld()) > 0);
    const refused = await exportOf(url);
    expectProblem(refused, 503, 'overloaded');
    expect(refused.headers.get('retry-after')).toBe('5');
    // Everything else goes on: an export has a connection of its own.
    expect((await send(url, 'GET', '/products?limit=1')).status).toBe(200);
    await eventually(async () => (await snapshotsHeld()) === 0);
    await eventually(async () => (await openExport(url)).statusCode === 200);
    reader.destroy();
  });
});

describe('an export of some', () => {
  const first = 2_000;
  beforeAll(async () => {
    await catalog.admin.query(`
      insert into product (id, sku, name, description, brand, price_amount, price_currency, attributes, status, version, updated_at)
      select format('019376e4-8c3a-7c7e-a1b2-%s', lpad(to_hex(i), 12, '0'))::uuid, 'F-' || i, 'Boot ' || i, case when i % 3 = 0 then 'Leather' end,
        'B, ' || i % 2, i / 100.0, case when i % 5 = 0 then 'USD' else 'EUR' end,
        json_build_object('color', case when i % 7 = 0 then 'red' else 'blue' end, 'a=b', 'c', 'a', case when i % 2 = 0 then 'b=c' else 'd' end),
        case when i % 100 = 0 then 'DRAFT' else 'ACTIVE' end, 1, timestamptz '2026-01-01 00:00Z' + i * interval '1 second'
      from generate_series(${first}, ${first} + 1999) i`);
  });
  const numbers = (fits: (i: number) => boolean): readonly string[] =>
    Array.from({ length: 2_000 }, (_, i) => first + i)
      .filter(fits)
      .map(idOf);
  /** Of what was made here. */
  const idsOf = (text: string): readonly string[] =>
    linesOf(text).flatMap(({ id }) =>
      typeof id === 'string' && id >= idOf(first) && id < idOf(first + 2_000) ? [id] : [],
    );

  it.each<[query: string, fits: (i: number) => boolean]>([
    ['status=DRAFT', (i) => i % 100 === 0],
    ['brand=B%2C%200&brand=B%2C%201&status=DRAFT', (i) => i % 100 === 0],
    ['brand=B%2C%201&status=DRAFT', () => false],
    ['price_min=20.01&price_max=20.06&price_currency=EUR', (i) => i <= 2_006 && i % 5 !== 0],
    ['attribute=color:red&price_currency=USD', (i) => i % 35 === 0],
    ['attribute=a:b%3Dc', (i) => i % 2 === 0],
    ['q=leather%20BOOT&attribute=color:red', (i) => i % 21 === 0],
    ['brand=B%2C%200&updated_after=2026-01-01T01:06:30.000Z', (i) => i > 3_990 && i % 2 === 0],
  ])('has those that fit %s, by id, and no other', async (query, fits) => {
    const { status, text } = await exportOf(catalog.url, `?${query}`);
    expect(status).toBe(200);
    const wanted = numbers(fits);
    expect(idsOf(text)).toEqual(wanted);
    expect(linesOf(text).at(-1)).toMatchObject({ end: { count: linesOf(text).length - 2 } });
    const { query: said } = linesOf(text)[0]?.['export'] as Record<string, string>;
    expect([...new URLSearchParams(said)].sort()).toEqual([...new URLSearchParams(query)].sort());
    const middle = wanted[Math.floor(wanted.length / 2)];
    if (middle === undefined) return;
    const rest = await exportOf(catalog.url, `?${query}&after=${middle}`);
    expect(idsOf(rest.text)).toEqual(wanted.filter((id) => id > middle));
  });

  it('is that of one moment, and knows what was committed before it by its words at once', async () => {
    const query = '?status=DRAFT&attribute=color:green';
    const [at, other] = [idOf(first + 700), idOf(first + 900)];
    const paint = (id: string, color: string) =>
      catalog.admin.query(
        `update product set version = version + 1, attributes = json_build_object('color', $2::text) where id = $1`,
        [id, color],
      );
    await paint(at, 'green');
    await paint(other, 'green');
    await using gate = await closeGateAt(at);
    const reading = exportOf(catalog.url, query);
    await eventually(async () => (await gate.waitedMs()) > 0);
    await paint(other, 'red');
    await gate.open();
    expect(idsOf((await reading).text)).toEqual([at, other]);
    expect(idsOf((await exportOf(catalog.url, query)).text)).toEqual([at]);
  });

  it('has the fields that were asked for, the id among them', async () => {
    const { text } = await exportOf(catalog.url, '?status=DRAFT&fields=!(attributes,description)');
    const [head, one] = text.split('\n');
    expect(head).toContain('"query":"status=DRAFT&fields=');
    expect(Object.keys(JSON.parse(one ?? '') as object)).toEqual([
      ...['id', 'sku', 'name', 'brand', 'price', 'status', 'version', 'created_at', 'updated_at'],
    ]);
    expect((await exportOf(catalog.url, '?sku=F-2000&fields=(id,version)')).text).toContain(
      `\n{"id":"${idOf(first)}","version":1}\n`,
    );
    for (const query of ['fields=(sku)', 'fields=!(id)', 'sort=-id', 'price_min=1', 'cursor=a'])
      expectProblem(await exportOf(catalog.url, `?${query}`), 400, 'validation-failed');
    const none = await send(catalog.url, 'GET', '/categories/export?q=leather');
    expectProblem(none, 400, 'validation-failed');
  });
});
