import { ConsumerError } from '../errors.ts';
import type { StorePool } from './store-pool.ts';

/** Both tables of a store by their full names, ready to stand in statements. */
export interface StateTables {
  readonly state: string;
  readonly positions: string;
}

const tableName = /^([a-z_][a-z0-9_]{0,48}\.)?[a-z_][a-z0-9_]{0,48}$/;

/**
 * The mark of a table that we made, as its comment, in exactly this form. Postgres gives it to no copy but those of a
 * dump; of a dump without rows, or of half of it,
 * the other rules take care: one table without the other is refused, and rows without a position.
 */
const stateMark = '{"outbound":"state","format":2}';
/** As `stateMark`, of the table of positions. */
const positionsMark = '{"outbound":"state positions","format":2}';
/** Of the release that made no marks. */
const unmarkedColumns = {
  state: 'key,version,value',
  positions: 'topic,partition,next_offset,current_at',
};

/**
 * DDL of a state table and of its positions, with the marks that they are recognised by, for those who migrate
 * themselves; run twice it changes nothing, and where
 * one of the names is taken it makes neither. `value` is `json`, so its bytes stay as they were published.
 * @throws ConsumerError STORE_UNUSABLE for a name that is no plain table name.
 */
export function stateTableDdl(table: string): string {
  const { state, positions } = namesOf(table);
  return `
do $outbound$ begin
  if to_regclass('${state}') is null and to_regclass('${positions}') is null then
    create table ${state} (
      key text primary key,
      version bigint,
      value json not null
    );
    comment on table ${state} is '${stateMark}';
    create table ${positions} (
      topic text not null,
      partition integer not null,
      next_offset bigint not null,
      mark text not null,
      current_at timestamptz not null,
      epoch text not null default '',
      primary key (topic, partition)
    );
    comment on table ${positions} is '${positionsMark}';
  end if;
end $outbound$;`;
}

/**
 * True, in a statement, while the names are those of our two tables, and a crash leaves either both of them or none: of
 * an unlogged one it takes all rows.
 * For the transaction that writes.
 */
export function areOursCondition({ state, positions }: StateTables): string {
  return `coalesce(obj_description(to_regclass('${state}'), 'pg_class') = '${stateMark}' and obj_description(to_regclass('${positions}'), 'pg_class') = '${positionsMark}', false)
    and (select count(distinct relpersistence) from pg_class where oid in (to_regclass('${state}'), to_regclass('${positions}'))) = 1`;
}

/** What is thrown where that does not hold. */
export function notOursAnyMore({ state }: StateTables): ConsumerError {
  return new ConsumerError(
    'STORE_UNUSABLE',
    `${state} was put in the place of our table, or lost its mark (its comment), or is unlogged and its ` +
      'positions are not, or the other way round; it is left as it is: name another table',
  );
}

/**
 * Makes the two tables if there is nothing of either name, and says what they are called in full, so that a
 * `search_path` has no say later.
 * Reads no row and writes nothing where it refuses.
 * @throws ConsumerError STORE_UNUSABLE for anything of that name that we have not made, naming it.
 */
export async function openStateTables(
  client: Pick<StorePool, 'query'>,
  table: string,
): Promise<StateTables> {
  const names = namesOf(table);
  const found = await findTable(client, names.state);
  if (!found) {
    if (await findTable(client, names.positions))
      throw unusable(`${table}_position is there and ${table} is not`);
    await client.query(stateTableDdl(table));
  }
  const state = found ?? (await findTable(client, names.state));
  if (!state) throw unusable(`${table} was removed while it was opened`);
  // Beside the table, whatever else of that name the search path finds first.
  const full = {
    state: `${state.schema}.${state.name}`,
    positions: `${state.schema}.${unquoted(names.positions)}`,
  };
  const positions = await findTable(client, full.positions);
  const isOfOldRelease =
    state.mark === null &&
    state.columns === unmarkedColumns.state &&
    positions?.columns === unmarkedColumns.positions;
  if (isOfOldRelease)
    throw unusable(
      `${full.state} looks like a copy that an earlier release made, but has no mark that would prove it; if ` +
        `it holds nothing else, let it go (drop table ${full.state}, ${full.positions}) and begin again`,
    );
  requireMark(state, full.state, stateMark);
  if (!positions) throw unusable(`${full.state} has no ${full.positions} beside it`);
  requireMark(positions, full.positions, positionsMark);
  // Of an earlier release of this format.
  if (!positions.columns.split(',').includes('epoch'))
    await client.query(`alter table ${full.positions} add column epoch text not null default ''`);
  if (state.persistence !== positions.persistence)
    throw unusable(
      `of ${full.state} and ${full.positions} one is unlogged and the other is not, so after a crash they say ` +
        'different things',
    );
  const { rows } = await client.query<{ is_odd: boolean }>(
    `select exists (select from ${full.state}) and not exists (select from ${full.positions}) as is_odd`,
  );
  if (rows[0]?.is_odd === true)
    throw unusable(`${full.state} has rows, and ${full.positions} does not say how far they go`);
  return full;
}

interface FoundTable {
  /** Both quoted where they have to be. */
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly mark: string | null;
  readonly columns: string;
  readonly persistence: string;
  readonly is_plain: boolean;
}

async function findTable(
  client: Pick<StorePool, 'query'>,
  name: string,
): Promise<FoundTable | undefined> {
  const { rows } = await client.query<FoundTable>(
    `select relnamespace::regnamespace::text as schema, quote_ident(relname) as name, relkind::text as kind, relpersistence::text as persistence, obj_description(c.oid, 'pg_class') as mark,
       (select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns,
       relpersistence <> 't' and not exists (select from pg_inherits where c.oid in (inhparent, inhrelid)) as is_plain
     from pg_class c where c.oid = to_regclass($1)`,
    [name],
  );
  return rows[0];
}

const kinds: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  p: 'a partitioned table',
};

function requireMark({ kind, mark, is_plain: isPlain }: FoundTable, name: string, ours: string) {
  if (kind !== 'r') throw unusable(`${name} is ${kinds[kind] ?? 'no table'}`);
  if (mark !== ours) throw unusable(`${name} was not made by a rebuild (its comment is no mark)`);
  if (!isPlain) throw unusable(`${name} is temporary, or inherits`);
}

function unusable(why: string): ConsumerError {
  return new ConsumerError(
    'STORE_UNUSABLE',
    `${why}: nothing was changed; name a table that is not there yet`,
  );
}

/** Quoted: a name may be a word of SQL, such as `order`. */
function namesOf(table: string): StateTables {
  if (!tableName.test(table))
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `${table} is no table name: expected table or schema.table of [a-z0-9_], at most 49 each`,
    );
  const quoted = (name: string) => name.replaceAll(/[^.]+/g, '"$&"');
  return { state: quoted(table), positions: quoted(`${table}_position`) };
}

/** The last part; no word of SQL ends like our tables of positions. */
function unquoted(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).replaceAll('"', '');
}
