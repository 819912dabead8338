import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { expectProblem } from './test-support/expect-problem.ts';
import { send } from './test-support/http-client.ts';

/* Writes and reads that are one statement, beside others who want the same rows. */

let catalog: TestCatalog;
let holder: pg.Client;
beforeAll(async () => {
  catalog = await startCatalog();
  holder = new pg.Client({ connectionString: catalog.adminUrl });
  await holder.connect();
});
afterAll(async () => {
  await holder?.end();
  await catalog.close();
});

const create = (body: string, headers: Record<string, string> = {}) =>
  send(catalog.url, 'POST', '/products', { body, headers });
const patch = (id: string, ifMatch: string, body = '{"name":"M"}') =>
  send(catalog.url, 'PATCH', `/products/${id}`, {
    body,
    headers: { 'content-type': 'application/merge-patch+json', 'if-match': ifMatch },
  });
const get = (id: string) => send(catalog.url, 'GET', `/products/${id}`);
const newId = async (sku: string) =>
  String((await create(`{"sku":"${sku}","name":"N"}`)).json['id']);
async function events(id: string): Promise<readonly string[]> {
  const { rows } = await catalog.admin.query<{ data: string }>(
    `select substring(payload::text from ',"data":(.*)\\}$') as data from outbox where aggregateid = $1 order by version`,
    [id],
  );
  return rows.map(({ data }) => data);
}
/** Changes the row in a transaction that is open until the end of `work`. */
async function whileChanging<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
  await holder.query('begin');
  await holder.query('update product set version = version + 1 where id = $1', [id]);
  try {
    return await work();
  } finally {
    await holder.query('commit');
  }
}
const somebodyWaits = () =>
  eventually(async () => {
    const { rows } = await catalog.admin.query(
      "select from pg_stat_activity where application_name = 'catalog-api' and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  });

it.each([
  ['prices', '"price":{"amount":99999999999.9999,"currency":"EUR"}'],
  ['small prices', '"price":{"amount":0.0001,"currency":"JPY"}'],
  ['numbers', '"attributes":{"big":12345678901234567890,"exact":1.50,"e":1e2,"7":1,"a":[]}'],
  ['text', '"description":"\\u2028 \\" \\\\ 😀 ","brand":"Ü"'],
])(
  'answer, row and event of a create and of a change are the same bytes: %s',
  async (name, field) => {
    const created = await create(`{"sku":"SAME-${name.replace(' ', '-')}","name":"N",${field}}`);
    expect(created.status).toBe(201);
    const id = String(created.json['id']);
    expect((await get(id)).text).toBe(created.text);
    const changed = await patch(id, '"1"');
    expect((await get(id)).text).toBe(changed.text);
    expect(await events(id)).toEqual([created.text, changed.text]);
  },
);

it('reads at once give each caller its own', async () => {
  const [a, b, gone] = [await newId('READ-A'), await newId('READ-B'), await newId('READ-C')];
  await send(catalog.url, 'DELETE', `/products/${gone}`, { headers: { 'if-match': '*' } });
  const ids = [a, uuidv7(), b, gone, a];
  const replies = await Promise.all(ids.map(get));
  expect(replies.map(({ status }) => status)).toEqual([200, 404, 200, 404, 200]);
  expect(replies.filter(({ status }) => status === 200).map(({ json }) => json['id'])).toEqual([
    a,
    b,
    a,
  ]);
});

it('a precondition that does not hold is told at once, though somebody holds the row', async () => {
  const id = await newId('STALE');
  await whileChanging(id, async () => {
    expectProblem(await patch(id, '"7"'), 412, 'precondition-failed');
  });
});

it('who was overtaken while waiting for the row is told so, and nothing is written', async () => {
  const id = await newId('OVERTAKEN');
  const { reply } = await whileChanging(id, async () => {
    const waiting = patch(id, '"1"');
    await somebodyWaits();
    return { reply: waiting };
  });
  expectProblem(await reply, 412, 'precondition-failed');
  expect(await events(id)).toHaveLength(1);
});

it('who was overtaken and takes any version changes what the other has left', async () => {
  const id = await newId('ANY');
  const { reply } = await whileChanging(id, async () => {
    const waiting = patch(id, '*', '{"brand":"B"}');
    await somebodyWaits();
    return { reply: waiting };
  });
  expect(await reply).toMatchObject({ status: 200, json: { version: 3, brand: 'B' } });
  expect(await events(id)).toHaveLength(2);
});

it('forty changes of one row at once give forty versions, each with its event', async () => {
  const id = await newId('HOT');
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, index) => patch(id, '*', `{"name":"N ${index}"}`)),
  );
  const versions = replies.map(({ json }) => Number(json['version'])).sort((x, y) => x - y);
  expect(versions).toEqual(Array.from({ length: 40 }, (_, index) => index + 2));
  const texts = new Map(replies.map(({ json, text }) => [json['version'], text]));
  expect((await events(id)).slice(1)).toEqual(versions.map((version) => texts.get(version)));
});

it('an id that a caller chose is taken once, by whoever comes first', async () => {
  const id = uuidv7();
  const put = (sku: string) =>
    send(catalog.url, 'PUT', `/products/${id}`, {
      body: `{"sku":"${sku}","name":"N"}`,
      headers: { 'if-none-match': '*' },
    });
  const replies = await Promise.all(['C-1', 'C-2', 'C-3', 'C-4'].map(put));
  expect(replies.map(({ status }) => status).sort()).toEqual([201, 412, 412, 412]);
  expect(await events(id)).toHaveLength(1);
});

it.each([{}, { 'idempotency-key': 'beside' }])(
  'whoever creates beside a twin hears of it as of any version that is there, and not of its key: %o',
  async (headers) => {
    const [id, sku] = [uuidv7(), `TWIN-${Object.keys(headers).length}`];
    // Postgres looks for the id first and at the other keys when it stores: a twin that comes between is met there.
    await holder.query(`create function meet_twin() returns trigger language plpgsql as $$ begin
        if current_user <> 'outbound_api' then return new; end if;
        perform pg_advisory_xact_lock(4711);
        raise unique_violation using constraint = 'product_sku_key';
      end $$;
      create trigger meet_twin before insert on product for each row execute function meet_twin();
      select pg_advisory_lock(4711)`);
    try {
      const waiting = send(catalog.url, 'PUT', `/products/${id}`, {
        body: `{"sku":"${sku}","name":"N"}`,
        headers: { 'if-none-match': '*', ...headers },
      });
      await somebodyWaits();
      await holder.query(
        "insert into product (id, sku, name, status, version) values ($1, $2, 'N', 'DRAFT', 1)",
        [id, sku],
      );
      await holder.query('select pg_advisory_unlock(4711)');
      expectProblem(await waiting, 412, 'precondition-failed');
    } finally {
      await holder.query('drop function meet_twin cascade');
    }
  },
);

it('a key whose day is over can be used again', async () => {
  const headers = { 'idempotency-key': 'yesterday' };
  expect((await create('{"sku":"DAY-1","name":"N"}', headers)).status).toBe(201);
  await catalog.admin.query(
    "update idempotency_key set created_at = now() - interval '25 hours' where key = 'yesterday'",
  );
  const second = await create('{"sku":"DAY-2","name":"N"}', headers);
  expect(second.status).toBe(201);
  expect((await create('{"sku":"DAY-2","name":"N"}', headers)).text).toBe(second.text);
});
