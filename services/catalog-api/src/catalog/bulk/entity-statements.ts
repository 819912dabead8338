import { arrayText, type Statement, type EntityTable, type Row } from '@outbound/outbox';
import { getTableColumns, getTableName } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { EntityRow } from '../entity-rows.ts';

type RawRow = Readonly<Record<string, string | null>>;

/**
 * The statements over one table that take many rows each. Rows go as one array for each column: as many parameters as columns, whatever their number, so that a statement is
 * prepared once.
 */
export class EntityStatements {
  readonly #name: string;
  /** By the names in the table's declaration; without what the database makes by itself. */
  readonly #columns: readonly (readonly [string, PgColumn])[];
  readonly #texts: Readonly<Record<'insert' | 'update' | 'lock' | 'read', string>>;

  constructor(table: EntityTable) {
    this.#name = getTableName(table);
    const all = Object.entries(getTableColumns(table) as Readonly<Record<string, PgColumn>>);
    this.#columns = all.filter(
      ([, column]) => column.generated === undefined && column !== table.changedIn,
    );
    const names = this.#columns.map(([, { name }]) => `"${name}"`);
    const list = names.join(', ');
    const rows = this.#columns.map(([, column], at) => `$${at + 1}::${column.getSQLType()}[]`);
    const from = `"${this.#name}" where "${table.id.name}" = any($1::uuid[]) order by "${table.id.name}" for update`;
    const sets = names.filter((name) => name !== `"${table.id.name}"`);
    this.#texts = {
      insert: `insert into "${this.#name}" (${list}) select * from unnest(${rows.join(', ')}) on conflict do nothing returning id`,
      update: `update "${this.#name}" as t set ${sets.map((name) => `${name} = v.${name}`).join(', ')}
        from unnest(${rows.join(', ')}) as v(${list}) where t."${table.id.name}" = v."${table.id.name}"`,
      lock: `select "${table.id.name}" as id, ${this.#bytes()} as bytes from ${from}`,
      read: `select ${list} from ${from}`,
    };
  }

  /** Inserts in the order of `rows` what collides with nothing, and gives the ids of those. */
  insert(rows: readonly Row[]): Statement {
    return {
      name: `${this.#name}_insert_many`,
      text: this.#texts.insert,
      values: this.#encode(rows),
    };
  }

  /** Sets all columns of rows that are locked; each id once. */
  update(rows: readonly Row[]): Statement {
    return {
      name: `${this.#name}_update_many`,
      text: this.#texts.update,
      values: this.#encode(rows),
    };
  }

  /** Locks in the order of ids, so that two who lock several never wait for each other; gives `id` and `bytes`, the size of its texts. */
  lock(ids: Iterable<string>): Statement {
    return {
      name: `${this.#name}_lock_many`,
      text: this.#texts.lock,
      values: [arrayText([...ids])],
    };
  }

  /** Gives rows that are locked; see `decode`. */
  read(ids: Iterable<string>): Statement {
    return {
      name: `${this.#name}_read_many`,
      text: this.#texts.read,
      values: [arrayText([...ids])],
    };
  }

  /** Gives `id` and `value` of the live entities that have one of these values. */
  holders(field: string, values: Iterable<string>): Statement {
    const column = this.#columns.find(([key]) => key === field)?.[1].name ?? field;
    return {
      name: `${this.#name}_holders_of_${column}`,
      text: `select id, "${column}" as value from "${this.#name}" where "${column}" = any($1::text[]) and deleted_at is null`,
      values: [arrayText([...values])],
    };
  }

  /** A row as drizzle would give it. */
  decode(raw: RawRow): EntityRow {
    const row: Record<string, unknown> = {};
    for (const [key, column] of this.#columns) {
      const text = raw[column.name] ?? null;
      row[key] = text === null ? null : column.mapFromDriverValue(text);
    }
    return row as EntityRow;
  }

  #encode(rows: readonly Row[]): string[] {
    return this.#columns.map(([key, column]) =>
      arrayText(
        rows.map((row) => {
          const value = row[key] ?? null;
          return value === null ? null : String(column.mapToDriverValue(value));
        }),
      ),
    );
  }

  #bytes(): string {
    const sizes = this.#columns
      .filter(([, column]) => ['text', 'json'].includes(column.getSQLType()))
      .map(([, { name }]) => `coalesce(octet_length("${name}"::text), 0)`);
    return ['0', ...sizes].join(' + ');
  }
}

const known = new WeakMap<EntityTable, EntityStatements>();

/** The statements of a table, made once. */
export function statementsOf(table: EntityTable): EntityStatements {
  const found = known.get(table) ?? new EntityStatements(table);
  known.set(table, found);
  return found;
}
