import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';

/** Drizzle over a pool of pg. */
export type Database = NodePgDatabase<Record<string, never>> & { readonly $client: pg.Pool };

/** An open transaction: what a command reads and writes with. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];

/** OID of `json` in `pg_type.dat`. */
const jsonOid = 114;

/**
 * Opens a database over the pool. From then on every `json` column of this process comes as its text: the driver's own JSON.parse
 * would lose the digits of large numbers (12345678901234567890 becomes 12345678901234567000), and the driver knows parsers per process only.
 */
export function createDatabase(pool: pg.Pool): Database {
  pg.types.setTypeParser(jsonOid, (text: string) => text);
  return drizzle(pool);
}
