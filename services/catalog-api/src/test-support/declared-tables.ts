import { is, SQL } from 'drizzle-orm';
import {
  getTableConfig,
  IndexedColumn,
  PgDialect,
  type AnyPgColumn,
  type Index,
  type PgTable,
} from 'drizzle-orm/pg-core';
import type pg from 'pg';

const dialect = new PgDialect();
const quote = (name: string) => `"${name}"`;
const textOf = (sql: SQL) => dialect.sqlToQuery(sql.inlineParams()).sql;

/** The DDL of a table as drizzle declares it, for an empty schema, so that the server itself says what the declaration means. */
export function declaredDdl(table: PgTable, schema: string): string {
  const { name, columns, primaryKeys, checks, indexes } = getTableConfig(table);
  const target = `${quote(schema)}.${quote(name)}`;
  const parts = [
    ...columns.map(columnDdl),
    ...columns
      .filter(({ primary }) => primary)
      .map((column) => `constraint ${name}_pkey primary key (${quote(column.name)})`),
    ...primaryKeys.map((key) => `constraint ${key.getName()} primary key (${names(key.columns)})`),
    ...checks.map((check) => `constraint ${check.name} check (${textOf(check.value)})`),
  ];
  return [
    `create table ${target} (${parts.join(', ')})`,
    ...indexes.map((index) => indexDdl(index, target)),
  ].join(';\n');
}

function columnDdl(column: AnyPgColumn): string {
  const { name, notNull, hasDefault } = column;
  const head = `${quote(name)} ${column.getSQLType()}${notNull ? ' not null' : ''}`;
  if (!hasDefault) return head;
  const value: unknown = column.default;
  return `${head} default ${is(value, SQL) ? textOf(value) : `'${String(column.mapToDriverValue(value))}'`}`;
}

function indexDdl({ config }: Index, target: string): string {
  const columns = config.columns.map((column) => {
    if (!is(column, IndexedColumn)) throw new Error(`index ${config.name} has an expression`);
    return quote(column.name ?? '');
  });
  const where = config.where ? ` where ${textOf(config.where)}` : '';
  const settings = Object.entries(config.with ?? {}).map(([name, value]) => `${name} = ${value}`);
  const using = ` using ${config.method ?? 'btree'}`;
  const options = settings.length === 0 ? '' : ` with (${settings.join(', ')})`;
  return `create ${config.unique ? 'unique ' : ''}index ${quote(config.name ?? '')} on ${target}${using} (${columns.join(', ')})${options}${where}`;
}

function names(columns: readonly AnyPgColumn[]): string {
  return columns.map(({ name }) => quote(name)).join(', ');
}

/** One line for each table, column, constraint and index of the tables of a schema, as the server prints them. Partitions are left out. */
export async function tablesOf(client: pg.Client, schema: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ line: string }>(
    `
    with tables as (
      select c.oid, c.relname from pg_class c
      where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
    )
    select relname::text as line from tables
    union all
    select format('%s.%s %s%s%s', t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' end, ' default ' || pg_get_expr(d.adbin, d.adrelid))
    from tables t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    union all
    select format('%s %s %s', t.relname, k.conname, pg_get_constraintdef(k.oid))
    from tables t join pg_constraint k on k.conrelid = t.oid and k.contype <> 'n'
    union all
    select format('%s %s', t.relname, replace(replace(pg_get_indexdef(i.indexrelid), $1 || '.', ''), ' ON ONLY ', ' ON '))
    from tables t join pg_index i on i.indrelid = t.oid
    order by 1`,
    [schema],
  );
  return rows.map(({ line }) => line);
}
