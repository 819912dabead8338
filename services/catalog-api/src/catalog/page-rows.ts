import type { EntityTable, Row } from '@outbound/outbox';
import { getTableColumns, getTableName, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { orderBy, type ListOrder, type Place } from './list-order.ts';
import type { Reading } from './unit-of-work.ts';

/** What of a list is read for one page. */
export interface PageQuery {
  /** What stands behind `from`: rows of the table under its name. */
  readonly from: SQL;
  readonly where: readonly SQL[];
  readonly order: ListOrder;
  /** Most rows, and most bytes of JSON; of those that are more than the bytes allow, one is read all the same. */
  readonly limit: number;
  readonly maxBytes: number;
  /** Fields that nobody wants: what of them is large is not read. */
  readonly without: readonly string[];
}

/** A row whose JSON is still text: to read it takes time in proportion to its size. */
export interface PageRow {
  readonly place: Place;
  readonly decode: () => Row;
}

/** Rows in the order of reading. */
export interface PageRows {
  readonly rows: readonly PageRow[];
  /** Whether there are more in that direction. */
  readonly hasMore: boolean;
  /** Size of the entities as JSON, near enough to plan with. */
  readonly bytes: number;
}

/** What a row adds to its texts: names of fields, ids, times, numbers. */
const fixedBytes = 400;

/** So many rows, and twice so many, are measured at a time where something is compressed. */
const firstStep = 16;
const largestStep = 64;

/**
 * Reads rows until a row begins beyond `maxBytes`. The server adds up the sizes and hands over nothing of the others: 1,000 products of 64 KB would be 64 MB that nobody sends.
 *
 * What is stored compressed must be decompressed to be measured, and what it becomes is not known before. So where there is one, rows are measured in steps, and no step is taken
 * once the bytes are used up: at most what the page has and one step more is decompressed.
 */
export async function readPageRows(
  db: Reading,
  table: EntityTable,
  { from, where, order, limit, maxBytes, without }: PageQuery,
): Promise<PageRows> {
  const columns = getTableColumns(table) as Columns;
  // Each level has the table's name, so that the columns of the table name its columns too.
  const name = sql.identifier(getTableName(table));
  const condition = where.length === 0 ? sql`true` : sql.join([...where], sql` and `);
  const pageOrder = orderBy(order);
  const picked = sql.join(
    Object.entries(columns).map(([key, column]) => pick(key, column, without)),
    sql`, `,
  );
  const measured = jsonBytes(columns);
  const found: Row[] = await db
    .select({ ...undecoded(columns), read: sql`read::int`, bytes: sql`bytes::int` })
    .from(
      sql`(
        with recursive page as materialized (
          select *, row_number() over (order by ${pageOrder}) as place, count(*) over () as read
          from (select ${picked} from ${from} where ${condition} order by ${pageOrder} limit ${limit + 1}) as ${name}
        ), step (upto, bytes) as (
          select case when exists (select from page as ${name} where ${isCompressed(columns)}) then 0 else ${limit + 1} end, 0::numeric
          union all
          select upto + least(upto + ${firstStep}, ${largestStep}), bytes + coalesce((
            select sum(${measured}) from page as ${name}
            where place > upto and place <= upto + least(upto + ${firstStep}, ${largestStep})), 0)
          from step where bytes < ${maxBytes} and upto <= ${limit}
        )
        select * from (
          select *, coalesce(sum(bytes) over (order by place rows between unbounded preceding and 1 preceding), 0) as bytes_before
          from (select *, ${measured} as bytes from page as ${name} where place <= (select max(upto) from step)) as ${name}
        ) as ${name} where bytes_before < ${maxBytes}
      ) as ${name}`,
    )
    .orderBy(sql`place`);
  const kept = found.slice(0, limit);
  return {
    rows: kept.map((row) => ({
      place: { id: String(row['id']), key: order.toKey(row) },
      decode: () => decoded(columns, row),
    })),
    hasMore: Number(found[0]?.['read'] ?? 0) > kept.length,
    bytes: kept.reduce((sum, row) => sum + Number(row['bytes']), 0),
  };
}

type Columns = Readonly<Record<string, PgColumn>>;

const isJson = (column: PgColumn): boolean => column.getSQLType() === 'json';

/** A column, or something small in its place where it is a field that nobody wants. */
function pick(key: string, column: PgColumn, without: readonly string[]): SQL {
  if (!without.includes(key)) return sql`${column}`;
  const alias = sql.identifier(column.name);
  if (isJson(column)) return sql`'{}'::json as ${alias}`;
  if (column.getSQLType() === 'text' && !column.notNull) return sql`null::text as ${alias}`;
  return sql`${column}`;
}

/** The columns as they are selected, a `json` as the text that the driver gives. */
function undecoded(columns: Columns): Record<string, SQL> {
  return Object.fromEntries(
    Object.entries(columns).map(([key, column]) => [
      key,
      isJson(column) ? sql`${column}` : sql`${column}`.mapWith(column),
    ]),
  );
}

function decoded(columns: Columns, row: Row): Row {
  const texts = Object.entries(columns).filter(
    ([key, column]) => isJson(column) && row[key] !== null,
  );
  return {
    ...row,
    ...Object.fromEntries(texts.map(([key, column]) => [key, column.mapFromDriverValue(row[key])])),
  };
}

/** The columns whose size a caller decides. */
function textual(columns: Columns): readonly PgColumn[] {
  return Object.values(columns).filter((column) => ['text', 'json'].includes(column.getSQLType()));
}

function isCompressed(columns: Columns): SQL {
  return sql.join(
    textual(columns).map((column) => sql`pg_column_compression(${column}) is not null`),
    sql` or `,
  );
}

/** The row's texts as JSON: a text with what is escaped in it, a `json` as it is. */
function jsonBytes(columns: Columns): SQL {
  const sizes = textual(columns).map((column) => {
    const size = isJson(column)
      ? sql`case when pg_column_compression(${column}) is null then pg_column_size(${column}) else octet_length(${column}::text) end`
      : sql`octet_length(to_json(${column})::text)`;
    return sql`coalesce(${size}, 0)`;
  });
  return sql`(${fixedBytes}::int + ${sql.join(sizes, sql` + `)})`;
}
