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
    await standby('nobody');
    await eventually(async () => {
      const { rows } = await catalog.admin.query('show synchronous_standby_names');
      return (rows[0] as Record<string, unknown>)['synchronous_standby_names'] === 'nobody';
    });
    const created = send(catalog.url, 'POST', '/products', {
      body: '{"sku":"IN-LOG","name":"N"}',
    });
    await eventually(async () => {
      const { rows } = await catalog.admin.query(
        `select 1 from pg_stat_activity where wait_event = 'SyncRep'`,
      );
      return rows.length > 0;
    });
    let isThere = false;
    let exported: Promise<Reply>;
    try {
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
    for (let i = 0; i < 6; i++) exports.push((await exportOf(catalog.url)).text);
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
    const service = await catalog.startAnother({ exportTimeoutMs: '100' });
    const url = `http://127.0.0.1:${service.port}`;
    await catalog.admin.query('begin; lock table product in access exclusive mode');
    const held = openExport(url);
    await catalog.admin.query(`select pg_sleep(0.2)`);
    await catalog.admin.query('rollback');
    const { text, isWhole } = await readRest(await held);
    const last = linesOf(text).at(-1);
    expect(last).toMatchObject({ problem: { type: '/problems/unavailable' } });
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
