import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSeed, seededRandom } from '../../../../test/support/random.ts';
import { migrateDatabase } from './migrate-database.ts';

const text = (length: number, letter = 'x') => letter.repeat(length);
const texts = ['', ' ', '\t\n', 'ä', '\u{1f45f}', '\'"\\%_', text(64), text(65), text(64, 'ä')];

/** Values by table and column: the first is sound, and so is null unless the column refuses it by itself. */
const tables = {
  product: {
    id: { type: 'uuid', values: ['0197a1b2-0000-7000-8000-000000000000'] },
    sku: { type: 'text', values: ['A.b_9-z', ...texts, 'A B', 'A\n', `${text(63)}é`] },
    name: { type: 'text', values: ['Shoe', null, ...texts, text(200, 'ä'), text(201)] },
    description: { type: 'text', values: ['Light', null, ...texts, text(4000, 'ä'), text(4001)] },
    brand: { type: 'text', values: ['Brand', null, ...texts, text(100, 'ä'), text(101)] },
    category: { type: 'text', values: ['shoes', null, ...texts] },
    price_amount: {
      type: 'numeric(15, 4)',
      values: ['1.50', null, '0', '-0', '-0.0001', '-0.00001', 'NaN', '99999999999.9999', '1e12'],
    },
    price_currency: {
      type: 'text',
      values: ['EUR', null, '', 'eur', 'EU', 'EURO', 'ÄÖÜ', 'EUR\n'],
    },
    attributes: {
      type: 'json',
      values: [
        ...['{}', null, '[]', 'null', '1', '"x"', '', '{', ' {"a": 1e400} ', '{"a":1,"a":2}'],
        ...['{"a":"\\u0000"}', '{"a":"\\ud800"}', `{"a":"${text(65_528)}"}`],
        `{"a":"${text(65_529)}"}`,
      ],
    },
    status: {
      type: 'text',
      values: ['DRAFT', 'ACTIVE', 'DISCONTINUED', null, '', 'draft', 'DRAFT '],
    },
    version: { type: 'bigint', values: ['1', null, '0', '-1', '9223372036854775807'] },
  },
  outbox: {
    id: { type: 'uuid', values: ['0197a1b2-0000-7000-8000-000000000000'] },
    aggregatetype: {
      type: 'text',
      values: ['catalog.product', null, ...texts, text(255), text(256)],
    },
    aggregateid: { type: 'text', values: ['p-1', null, ...texts, text(255), text(128, 'ä')] },
    type: { type: 'text', values: ['t', null, ...texts, text(255), text(256)] },
    version: { type: 'bigint', values: ['1', null, '0', '-1', '9223372036854775807'] },
    data_op: { type: 'char(1)', values: ['C', 'U', 'D', 'S', null, 'X', 'c', '', ' ', 'CC', 'C '] },
    payload: {
      type: 'json',
      values: [
        ...['{}', null, '[]', 'null', '1', '"x"', '', '{', '{"t":"\\u0000"}', '{"t":"\\ud800"}'],
        ...[`{"x":"${text(921_592)}"}`, `{"x":"${text(921_593)}"}`],
      ],
    },
    headers: {
      type: 'json',
      values: [
        ...[
          '{}',
          null,
          '[]',
          'null',
          '"x"',
          '',
          '{"a":null}',
          '{"a":7}',
          '{"a":[["x"]]}',
          '[{"a":"b"}]',
        ],
        ...[
          '{"a":{"b":"c"}}',
          '{"a":"\\u0000"}',
          '{"a":"\\ud800"}',
          '{"a":null,"a":"x"}',
          '{"":""}',
        ],
        ...[
          `{"a":"${text(8184)}"}`,
          `{"a":"${text(8185)}"}`,
          `{"outbound_redrive":"${text(8400)}"}`,
        ],
        ...[
          `{"outbound_redrive":"${text(8440)}"}`,
          `{"outbound_redrive":null,"a":"${text(8200)}"}`,
        ],
      ],
    },
    created_at: {
      type: 'timestamptz',
      values: [
        ...['2026-03-01 12:34:56.123456+05:30', null, 'infinity', '-infinity', 'epoch'],
        ...['0001-01-01 00:00:00+00', '0001-12-31 23:59:59.999999 BC', '0001-01-01 00:00:00+01'],
        ...['9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00', '9999-12-31 23:30:00-01'],
      ],
    },
  },
  idempotency_key: {
    scope: { type: 'text', values: ['s'] },
    key: { type: 'text', values: ['k', null, ...texts, text(255, 'ä'), text(256)] },
    request_hash: {
      type: 'bytea',
      values: [`\\x${text(64, 'a')}`, null, '\\x', `\\x${text(62, 'a')}`, `\\x${text(66, 'a')}`],
    },
    response_status: { type: 'integer', values: ['201', null, '100', '99', '599', '600', '-1'] },
  },
} as const satisfies Record<
  string,
  Record<string, { readonly type: string; readonly values: readonly (string | null)[] }>
>;
type Table = keyof typeof tables;

/** Rows of a table, as the texts of its values: each value once in a row that is sound but for it, and then mixtures. */
function oddRows(table: Table, count: number, random: () => number): (string | null)[][] {
  const declared: Readonly<Record<string, { readonly values: readonly (string | null)[] }>> =
    tables[table];
  const columns = Object.values(declared).map(({ values }) => values);
  const sound = columns.map(([first]) => first ?? null);
  const singles = columns.flatMap((values, at) =>
    values.map((value) => sound.map((each, index): string | null => (index === at ? value : each))),
  );
  // Large ones are in the singles; here they would only take time.
  const short = columns.map((values) =>
    values.filter((value) => value === null || value.length < 10_000),
  );
  const mixtures = Array.from({ length: count }, () =>
    short.map((values, at) =>
      random() < 0.25
        ? (values[Math.floor(random() * values.length)] ?? null)
        : (sound[at] ?? null),
    ),
  );
  return [...singles, ...mixtures];
}

describe.each<PostgresMajor>([18, 15])('the rules of the tables on Postgres %i', (major) => {
  let server: PostgresServer;
  let before: pg.Client;
  let after: pg.Client;

  const migrated = async (name: string, isWanted: (file: string) => boolean) => {
    const url = await server.createDatabase(name);
    const directory = mkdtempSync(join(tmpdir(), 'migrations-'));
    for (const file of readdirSync('migrations').filter(isWanted))
      cpSync(join('migrations', file), join(directory, file));
    await migrateDatabase({ databaseUrl: url, directory });
    rmSync(directory, { recursive: true });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`
      create function verdict(statement text, line text[]) returns text language plpgsql as $$
      declare
        rule text;
      begin
        execute statement using line;
        return 'taken';
      exception
        when others then
          get stacked diagnostics rule = constraint_name;
          return concat_ws(' ', sqlstate, rule);
      end $$`);
    for (const table of Object.keys(tables))
      await client.query(
        `create table trial_${table} (like ${table} including defaults including constraints)`,
      );
    return client;
  };

  beforeAll(async () => {
    server = await startPostgres({ major });
    before = await migrated('before', (file) => file < '0029');
    after = await migrated('after', () => true);
  });
  afterAll(async () => {
    await before?.end();
    await after?.end();
    await server?.close();
  });

  const verdicts = async (client: pg.Client, table: Table, rows: (string | null)[][]) => {
    const columns = Object.entries(tables[table]);
    const casts = columns.map(([, { type }], at) => `($1)[${at + 1}]::${type}`);
    const statement = `insert into trial_${table} (${columns.map(([name]) => name).join(', ')}) values (${casts.join(', ')})`;
    const { rows: given } = await client.query<{ verdict: string }>(
      `select verdict($1, array(select value from json_array_elements_text(line) with ordinality each (value, place) order by place)) as verdict
       from json_array_elements($2::json) with ordinality lines (line, number) order by number`,
      [statement, JSON.stringify(rows)],
    );
    return given.map(({ verdict }) => verdict);
  };

  test.each(Object.keys(tables) as Table[])(
    'give every row of %s the verdict that the CHECKs gave before, by the same name',
    async (table) => {
      const rows = oddRows(table, 1_500, seededRandom(runSeed(`rows of ${table}`)));
      const old = await verdicts(before, table, rows);
      const now = await verdicts(after, table, rows);
      const different = rows.flatMap((row, at) =>
        old[at] === now[at]
          ? []
          : [{ row: row.map((value) => value?.slice(0, 60)), old: old[at], now: now[at] }],
      );
      expect(different).toEqual([]);
      expect(now).toHaveLength(rows.length);
      expect(now).toContain('taken');
      const { rows: rules } = await before.query<{ rule: string }>(
        `select conname as rule from pg_constraint where conrelid = $1::regclass and contype = 'c'`,
        [table],
      );
      expect(rules.length).toBeGreaterThan(2);
      for (const { rule } of rules) expect(now).toContain(`23514 ${rule}`);
    },
  );

  test('hold whatever a session takes for an operator', async () => {
    await after.query(`
      create schema evil;
      create function evil.yes(text, text) returns boolean language sql immutable as 'select true';
      create function evil.char_length(text) returns integer language sql immutable as 'select 1';
      create operator evil.~ (function = evil.yes, leftarg = text, rightarg = text);
      create operator evil.= (function = evil.yes, leftarg = text, rightarg = text);
      insert into category (id, code, name, version) values (gen_random_uuid(), 'shoes', 'Shoes', 1);
      set search_path = evil, pg_catalog, public`);
    try {
      const insert = (sku: string, name: string, category: string | null) =>
        after.query(
          `insert into product (id, sku, name, category, status, version) values (gen_random_uuid(), $1, $2, $3, 'ACTIVE', 1)`,
          [sku, name, category],
        );
      const refusal = (constraint: string) => ({ code: '23514', constraint });
      await expect(insert('A B', 'n', null)).rejects.toMatchObject(refusal('product_sku_check'));
      await expect(insert('A', '', null)).rejects.toMatchObject(refusal('product_name_check'));
      await expect(insert('A', 'n', 'hats')).rejects.toMatchObject(
        refusal('product_category_exists'),
      );
      await insert('A', 'n', 'shoes');
    } finally {
      await after.query('reset search_path');
    }
  });
});
