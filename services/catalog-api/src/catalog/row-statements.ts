import { changeStatement, PreparedStatement, sqlType, type Row } from '@outbound/outbox';
import { getTableColumns, Param, sql, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Aggregate } from './aggregate.ts';
import { keepAnswer, keepAnswerName } from './keep-answer.ts';

/**
 * What is asked of one aggregate's table again and again, written once (`PreparedStatement`). The changes carry their events (`changeStatement`); their placeholders are called as the columns in the
 * declaration.
 */
export class RowStatements {
  /** The live entity with this `id`. */
  readonly live: PreparedStatement;
  /** The live entities with these `ids`, as the text of an array. */
  readonly manyLive: PreparedStatement;
  /** The row with this `id`, deleted or not. */
  readonly row: PreparedStatement;
  /** A new row with all its columns. A taken id is an error. */
  readonly insert: PreparedStatement;
  /** The same, with the memory of its answer under an Idempotency-Key (`keepAnswer`): no row where that key is known. */
  readonly insertOnce: PreparedStatement;
  /** The same for an id that a caller chose: no row where it is taken. */
  readonly insertChosen: PreparedStatement;
  /** The row with this `id` gets all its columns anew, if it still has the version `before`. */
  readonly update: PreparedStatement;
  /** By their names in the declaration; without what the database makes by itself. */
  readonly #columns: readonly (readonly [string, PgColumn])[];

  private constructor({ name, table }: Aggregate) {
    this.#columns = Object.entries(getTableColumns(table)).filter(
      ([, column]) => column.generated === undefined && column !== table.changedIn,
    );
    const names = list(this.#columns.map(([, column]) => sql`${sql.identifier(column.name)}`));
    const values = list(
      this.#columns.map(
        ([key, column]) =>
          sql`${new Param(sql.placeholder(key), column)}::${sqlType(column.getSQLType())}`,
      ),
    );
    const select = (label: string, condition: SQL): PreparedStatement =>
      new PreparedStatement(
        `${name}_${label}`,
        sql`select ${names} from ${table} where ${table.id} = ${sql.placeholder('id')}${condition}`,
      );
    const insert = (label: string, more: SQL, before?: SQL): PreparedStatement =>
      changeStatement(
        `${name}_${label}`,
        sql`insert into ${table} (${names}) select ${values}${more}`,
        before,
      );
    this.live = select('live', sql` and ${table.deletedAt} is null`);
    this.row = select('row', sql.empty());
    this.manyLive = new PreparedStatement(
      `${name}_many_live`,
      sql`select ${names} from ${table} where ${table.id} = any(${sql.placeholder('ids')}::uuid[]) and ${table.deletedAt} is null`,
    );
    this.insert = insert('insert', sql.empty());
    this.insertOnce = insert('insert_once', sql` from ${keepAnswerName}`, keepAnswer());
    this.insertChosen = insert(
      'insert_chosen',
      sql` on conflict (${sql.identifier(table.id.name)}) do nothing`,
    );
    this.update = changeStatement(
      `${name}_update`,
      sql`update ${table} set (${names}) = row(${values})
        where ${table.id} = ${sql.placeholder('id')} and ${table.version} = ${sql.placeholder('before')}`,
    );
  }

  static readonly #known = new WeakMap<Aggregate, RowStatements>();

  /** The statements of an aggregate, made when they are first asked for. */
  static of(aggregate: Aggregate): RowStatements {
    let statements = RowStatements.#known.get(aggregate);
    if (statements === undefined) {
      statements = new RowStatements(aggregate);
      RowStatements.#known.set(aggregate, statements);
    }
    return statements;
  }

  /** The row of a read one, as drizzle would give it. */
  toRow(values: readonly unknown[]): Row {
    const row: Record<string, unknown> = {};
    this.#columns.forEach(([key, column], index) => {
      const value = values[index];
      row[key] = value === null ? null : column.mapFromDriverValue(value);
    });
    return row;
  }
}

function list(items: readonly SQL[]): SQL {
  return sql.join([...items], sql`, `);
}
