import type pg from 'pg';

/** A statement as the driver takes it; with a name it is parsed once for each connection, where `TransactionOptions.prepares`. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  /** As text, as Postgres reads it. */
  readonly values: readonly (string | null)[];
}

/** Runs a statement in the transaction and gives every column as the text that came. */
export type Query = (statement: Statement) => Promise<{
  readonly rows: readonly Readonly<Record<string, string | null>>[];
  readonly rowCount: number;
}>;

const asText = { getTypeParser: () => (value: string) => value };

/** The connection's `query` in this form. @param prepares false: names are left out. */
export function queryOf(client: pg.PoolClient, prepares: boolean): Query {
  return async ({ name, text, values }) => {
    const result = await client.query<Record<string, string | null>>({
      ...(prepares && name !== undefined ? { name } : {}),
      text,
      values: [...values],
      types: asText,
    });
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  };
}
