import type { Transaction } from '@outbound/outbox';
import type { EntityTable, Row } from '@outbound/schemas';
import { asc, desc, getTableColumns, getTableName, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';

/** What of a list is read for one page. */
export interface PageQuery {
  readonly where: SQL | undefined;
  readonly backwards: boolean;
  /** Most rows, and most bytes of JSON; of those that are more than the bytes allow, one is read all the same. */
  readonly limit: number;
  readonly maxBytes: number;
}

/** A row whose JSON is still text: to read it takes time in proportion to its size. */
export interface PageRow {
  readonly id: string;
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

/**
 * Reads rows until a row begins beyond `maxBytes`. The server adds up the sizes and hands over nothing of the others: 1,000 products of 64 KB would be 64 MB that nobody sends.
 *
 * A `json` that is stored compressed must be decompressed to be measured, so a first sum, over the sizes as they are stored, leaves out what is too much by that already.
 */
export async function readPageRows(
  db: Pick<Transaction, 'select'>,
  table: EntityTable,
  { where, backwards, limit, maxBytes }: PageQuery,
): Promise<PageRows> {
  const columns = getTableColumns(table) as Columns;
  const order = backwards ? desc(table.id) : asc(table.id);
  // Each level has the table's name, so that the columns of the table name its columns too.
  const name = getTableName(table);
  const before = (bytes: SQL): SQL =>
    sql`coalesce(sum(${bytes}) over (order by ${order} rows between unbounded preceding and 1 preceding), 0)`;
  const read = db
    .select()
    .from(table)
    .where(where)
    .orderBy(order)
    .limit(limit + 1)
    .as(name);
  const stored = db
    .select({
      ...columns,
      read: sql`count(*) over ()`.as('read'),
      storedBefore: before(storedBytes(columns)).as('stored_before'),
    })
    .from(read)
    .as(name);
  const sized = db
    .select({
      ...columns,
      read: sql`read`.as('read'),
      bytes: jsonBytes(columns).as('bytes'),
      bytesBefore: before(jsonBytes(columns)).as('bytes_before'),
    })
    .from(stored)
    .where(sql`stored_before < ${maxBytes}`)
    .as(name);
  const found: Row[] = await db
    .select({ ...undecoded(columns), read: sql`read::int`, bytes: sql`bytes::int` })
    .from(sized)
    .where(sql`bytes_before < ${maxBytes}`)
    .orderBy(order);
  const kept = found.slice(0, limit);
  return {
    rows: kept.map((row) => ({ id: String(row['id']), decode: () => decoded(columns, row) })),
    hasMore: Number(found[0]?.['read'] ?? 0) > kept.length,
    bytes: kept.reduce((sum, row) => sum + Number(row['bytes']), 0),
  };
}

type Columns = Readonly<Record<string, PgColumn>>;

const isJson = (column: PgColumn): boolean => column.getSQLType() === 'json';

/** The columns as they are selected, a `json` as the text that the driver gives. */
function undecoded(columns: Columns): Record<string, PgColumn | SQL> {
  return Object.fromEntries(
    Object.entries(columns).map(([key, column]) => [key, isJson(column) ? sql`${column}` : column]),
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

/** Never more than `jsonBytes`, and without looking into a value. */
function storedBytes(columns: Columns): SQL {
  return sumOf(columns, (column) => sql`pg_column_size(${column})`);
}

/** The row's texts as JSON: a text with what is escaped in it, a `json` as it is. */
function jsonBytes(columns: Columns): SQL {
  const added = sumOf(columns, (column) =>
    isJson(column)
      ? sql`case when pg_column_compression(${column}) is null then pg_column_size(${column}) else octet_length(${column}::text) end`
      : sql`octet_length(to_json(${column})::text)`,
  );
  return sql`(${fixedBytes} + ${added})`;
}

function sumOf(columns: Columns, size: (column: PgColumn) => SQL): SQL {
  const sizes = Object.values(columns)
    .filter((column) => ['text', 'json'].includes(column.getSQLType()))
    .map((column) => sql`coalesce(${size(column)}, 0)`);
  return sql`(${sql.join(sizes, sql` + `)})`;
}
