import type pg from 'pg';
import type { State } from './judge-answers.ts';

/** What the database holds of products: the rows, and every event that was written. To be called when all is quiet. */
export async function readTruth(
  sql: pg.Client,
): Promise<{ readonly rows: readonly State[]; readonly events: readonly State[] }> {
  const states = async (query: string): Promise<readonly State[]> =>
    (await sql.query<State>(query)).rows.map((row) => ({ ...row, version: Number(row.version) }));
  return {
    rows: await states('select id::text, version, name as tag from product'),
    events: await states(
      `select aggregateid as id, version, payload->'data'->>'name' as tag from outbox
       where type = 'catalog.product-change'`,
    ),
  };
}
