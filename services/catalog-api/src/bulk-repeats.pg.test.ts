import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { batchClient } from './test-support/batch-client.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';

let catalog: TestCatalog;
beforeAll(async () => {
  catalog = await startCatalog();
});
afterAll(() => catalog.close());

const { batch, resultsOf, told, create, eventsOf } = batchClient(() => catalog);

describe('a repeated batch', () => {
  it('gets its first answer again under its key, chunk by chunk', async () => {
    const items = Array.from({ length: 150 }, (_, n) => ({
      upsert: true,
      data: { sku: `AGAIN-${n}`, name: 'N' },
    }));
    const headers = { 'idempotency-key': 'put-again', prefer: 'return=minimal' };
    const first = await batch('PUT', items, headers);
    expect(first.headers.get('preference-applied')).toBe('return=minimal');
    await catalog.admin.query(
      "delete from idempotency_key where key = 'put-again' and scope like '%#1'",
    );
    const second = await batch('PUT', items, headers);
    expect(second.headers.get('idempotent-replayed')).toBe('0-99');
    expect(told(second)).toEqual([
      ...Array<string>(100).fill('201 "1"'),
      ...Array<string>(50).fill('200 "1"'),
    ]);
    const other = await batch('PUT', items.slice(1), headers);
    expect([other.status, other.json['type']]).toEqual([400, '/problems/idempotency-key-reused']);
    // Another method under the same key is another request.
    const [id = ''] = await create('AGAIN-DELETE');
    expect(told(await batch('DELETE', [{ id, if_match: '*' }], headers))).toEqual(['204']);
  });

  it('without a key is settled by the precondition of each item', async () => {
    const [id = ''] = await create('SETTLED');
    const patch = () => batch('PATCH', [{ id, if_match: '"1"', patch: { name: 'Once' } }]);
    expect(told(await patch())).toEqual(['200 "2"']);
    expect(told(await patch())).toEqual(['412 precondition-failed']);
    expect(await eventsOf(id)).toEqual(['C1 N', 'U2 Once']);
  });
});

describe('an item that should be tried again', () => {
  const clash = (id: string) => ({ id, if_match: '*', patch: { name: 'CLASH' } });
  const good = (id: string) => ({ id, if_match: '*', patch: { name: 'Good' } });
  /** Whoever gives an entity this name meets a key that nobody is seen to have, each time. */
  const whileClashing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    await catalog.admin.query(`create function clash() returns trigger language plpgsql as $$ begin
        raise unique_violation using constraint = 'product_sku_key';
      end $$;
      create trigger clash before update on product for each row when (new.name = 'CLASH') execute function clash()`);
    try {
      return await work();
    } finally {
      await catalog.admin.query('drop function clash cascade');
    }
  };

  it('takes none of its neighbours with it', async () => {
    const [a = '', b = ''] = await create('CLASH-1', 'CLASH-2');
    const reply = await whileClashing(() => batch('PATCH', [good(a), clash(b)]));
    expect(told(reply)).toEqual(['200 "2"', '503 write-conflict']);
  });

  it('is not kept under a key, nor is anything of its chunk done: the repetition does all of it', async () => {
    const [a = '', b = ''] = await create('CLASH-3', 'CLASH-4');
    const again = () => batch('PATCH', [good(a), clash(b)], { 'idempotency-key': 'clash' });
    const refused = await whileClashing(again);
    expect([refused.status, refused.json['type']]).toEqual([503, '/problems/write-conflict']);
    expect(told(await again())).toEqual(['200 "2"', '200 "2"']);
    expect([await eventsOf(a), await eventsOf(b)]).toEqual([
      ['C1 N', 'U2 Good'],
      ['C1 N', 'U2 CLASH'],
    ]);
  });
});

describe('batches beside each other', () => {
  it('do not deadlock over the same entities in different orders, and lose no update', async () => {
    const ids = await create(...Array.from({ length: 60 }, (_, n) => `DEAD-${n}`));
    // Whoever locks in the order of items is caught at the middle, with the other half of the rows.
    const middle = ids[30];
    await catalog.admin.query('begin');
    await catalog.admin.query('select id from product where id = $1 for update', [middle]);
    const half = (name: string, backwards: boolean) => {
      const items = ids.map((id, n) =>
        n % 2 === 0
          ? { id, if_match: '*', patch: { name } }
          : { sku: `DEAD-${n}`, if_match: '*', patch: { name } },
      );
      return batch('PATCH', backwards ? items.reverse() : items);
    };
    const sent = [half('a', false), half('b', true), half('c', false)];
    await eventually(async () => {
      const { rows } = await catalog.admin.query<{ waiting: number }>(
        'select count(distinct pid)::int as waiting from pg_locks where not granted',
      );
      return rows[0]?.waiting === 3 ? true : undefined;
    });
    await catalog.admin.query('commit');
    const replies = await Promise.all(sent);
    for (const reply of replies)
      expect(new Set(resultsOf(reply).map(({ status }) => status))).toEqual(new Set([200]));
    const { rows } = await catalog.admin.query<{ version: string }>(
      "select distinct version from product where sku like 'DEAD-%'",
    );
    expect(rows).toEqual([{ version: '4' }]);
    expect(readFileSync(catalog.postgres.logFile, 'utf8')).not.toContain('deadlock detected');
  });

  it('that put the same new skus create each once, and the later ones replace it', async () => {
    const items = Array.from({ length: 100 }, (_, n) => n);
    const put = (name: string, backwards: boolean) => {
      const list = items.map((n) => ({ upsert: true, data: { sku: `RACE-${n}`, name } }));
      return batch('PUT', backwards ? list.reverse() : list);
    };
    const replies = await Promise.all([put('a', false), put('b', true), put('c', false)]);
    const statuses = replies.flatMap((reply) => resultsOf(reply).map(({ status }) => status));
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    expect(statuses.filter((status) => status === 200)).toHaveLength(200);
    const { rows } = await catalog.admin.query<{ events: number; products: number }>(`
      select (select count(*)::int from outbox where payload::text like '%"RACE-%') as events,
        (select count(*)::int from product where sku like 'RACE-%' and version = 3) as products`);
    expect(rows).toEqual([{ events: 300, products: 100 }]);
    expect(readFileSync(catalog.postgres.logFile, 'utf8')).not.toContain('deadlock detected');
  });
});

it('batches go on when a column gets another type, on the connections that had planned them', async () => {
  const [id = ''] = await create('TYPE');
  const patch = (name: string) => batch('PATCH', [{ id, if_match: '*', patch: { name } }]);
  expect(told(await patch('Before'))).toEqual(['200 "2"']);
  const alter = (precision: number) =>
    catalog.admin.query(
      `alter table product alter column price_amount type numeric(${precision}, 4)`,
    );
  await alter(16);
  expect(told(await patch('Behind'))).toEqual(['200 "3"']);
  expect(told(await patch('Later'))).toEqual(['200 "4"']);
  await alter(15);
  expect(await eventsOf(id)).toEqual(['C1 N', 'U2 Before', 'U3 Behind', 'U4 Later']);
});
