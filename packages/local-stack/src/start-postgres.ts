import { postgresForm } from './choose-form.ts';
import type { PostgresOptions, PostgresServer } from './postgres-server.ts';
import { startEmbeddedPostgres } from './processes/postgres/embedded-postgres.ts';

/** Starts a Postgres and comes back when it takes connections. @throws StackError saying what is missing or the end of its log. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  if (postgresForm(options.form) === 'processes') return startEmbeddedPostgres(options);
  // testcontainers takes half a second to load, so only where it is needed.
  const { startContainerPostgres } = await import('./containers/container-postgres.ts');
  return startContainerPostgres(options);
}
