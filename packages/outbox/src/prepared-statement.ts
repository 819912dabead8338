import { createHash } from 'node:crypto';
import { is, Param, Placeholder, type SQL } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';

/** Values by the names of their placeholders. */
export type StatementValues = Readonly<Record<string, unknown>>;

/** A statement with its values, as pg takes it. Rows come as arrays, in the order of the columns. */
export type BoundStatement = pg.QueryArrayConfig<unknown[]> & { readonly name: string };

const dialect = new PgDialect();

/** Times come as text: a column of drizzle's reads them. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (id, format) =>
    (id as number) === (pg.types.builtins.TIMESTAMPTZ as number)
      ? (text: string) => text
      : (pg.types.getTypeParser(id, format) as (text: string) => unknown),
};

/**
 * A statement that drizzle has written once, for good: each run only puts values in. Postgres plans it once for a connection, under a name that
 * no other text has.
 */
export class PreparedStatement {
  readonly name: string;
  readonly text: string;
  readonly #values: readonly ((given: StatementValues) => unknown)[];

  /**
   * @param label begins the name by which Postgres and its statistics know the statement; at most 40 characters.
   * @param query with `sql.placeholder` where values go.
   */
  constructor(label: string, query: SQL) {
    const { sql: text, params } = dialect.sqlToQuery(query);
    this.text = text;
    // Postgres cuts names to 63 characters.
    this.name = `${label.slice(0, 40)}_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    this.#values = params.map(reader);
  }

  /** Puts the values in, each as its column wants it. */
  bind(given: StatementValues): BoundStatement {
    return {
      name: this.name,
      text: this.text,
      values: this.#values.map((read) => read(given)),
      rowMode: 'array',
      types,
    };
  }
}

/** How to find a parameter's value. */
function reader(param: unknown): (given: StatementValues) => unknown {
  if (is(param, Placeholder)) {
    const { name } = param;
    return (given) => given[name];
  }
  if (is(param, Param) && is(param.value, Placeholder)) {
    const { encoder } = param;
    const { name } = param.value;
    return (given) => {
      const value = given[name];
      return value === null || value === undefined ? null : encoder.mapToDriverValue(value);
    };
  }
  return () => param;
}
