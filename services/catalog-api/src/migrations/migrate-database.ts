import { setTimeout as delay } from 'node:timers/promises';
import { PipelineError, postgresConnection } from '@outbound/service-kit';
import pg from 'pg';
import {
  pendingMigrations,
  readMigrationFiles,
  type AppliedMigration,
  type MigrationFile,
} from './migration-file.ts';
import { applyOnline, isOnline, onlineStatements } from './online-migration.ts';
import { scramVerifier } from './scram-verifier.ts';

export interface MigrateOptions {
  /**
   * A role that may create tables, roles and publications: a superuser, or the owner with CREATEROLE, REPLICATION and pg_read_all_stats.
   * Before Postgres 16 only a superuser may give the relay its login.
   */
  readonly databaseUrl: string;
  readonly directory: string;
  /** How long to wait for another runner, and how long to try for the locks of one file. Defaults to 60,000 ms. */
  readonly lockTimeoutMs?: number;
  /** Logins to give to the service roles, by role; without one a role stays as it is. */
  readonly passwords?: Readonly<Partial<Record<ServiceRole, string>>>;
  readonly onApplied?: (name: string) => void;
}

export type ServiceRole = 'outbound_api' | 'outbound_relay' | 'outbound_operator';

/** Any number that no other program locks. */
const lockKey = 7_205_331_908;

/** Readers and writers queue behind whoever waits for a table, so nobody does for longer than this at a time. */
const tableLockTimeoutMs = 200;
/** Between two tries, in which those who queued get their turn. */
const retryAfterMs = 500;
/** How often a runner looks whether another has ended. */
const askAgainMs = 100;

/**
 * Brings the database up to the newest migration, and gives the names of those it ran. One transaction per file: a failing one leaves
 * nothing behind. Only a file that builds indexes beside the writers runs in none (`online-migration.ts`). A second runner waits for the first and then has nothing to do.
 *
 * Own code, since the kept libraries do not do what is needed together: drizzle's migrator takes no lock and skips files that were merged late,
 * node-pg-migrate does not see that a file was edited, and cannot record a file in the transaction that runs it.
 * @throws PipelineError MIGRATION_* naming the file; MIGRATION_LOCKED if another runner, or whoever has a table, does not finish in time; MIGRATION_LOGIN_REFUSED
 * if the role may not give a login; CONFIG_INVALID for a password that not every program would take for the same; else the error of the server, if the connection ends between two files.
 */
export async function migrateDatabase(options: MigrateOptions): Promise<readonly string[]> {
  const files = readMigrationFiles(options.directory);
  // Refused before anything is changed.
  const verifiers = Object.entries(options.passwords ?? {}).map(
    ([role, password]) => [role, scramVerifier(password)] as const,
  );
  const timeoutMs = options.lockTimeoutMs ?? 60_000;
  const client = new pg.Client({
    ...postgresConnection(options.databaseUrl),
    application_name: 'catalog-migrate',
    connectionTimeoutMillis: 10_000,
  });
  // The statement under way fails with it; without a listener it would end the process as well.
  client.on('error', () => undefined);
  await client.connect();
  try {
    // The role's own may be meant for short requests.
    await client.query('set statement_timeout = 0');
    await takeLock(client, timeoutMs);
    await client.query(`
      create table if not exists schema_migration (
        name text primary key, checksum text not null, applied_at timestamptz not null default now())`);
    const { rows: applied } = await client.query<AppliedMigration>(
      'select name, checksum from schema_migration order by name',
    );
    const pending = pendingMigrations(files, applied);
    for (const file of pending.filter(isOnline)) onlineStatements(file);
    for (const file of pending) {
      if (isOnline(file)) await applyOnline(client, file, timeoutMs);
      else await applyPatiently(client, file, timeoutMs);
      options.onApplied?.(file.name);
    }
    await giveLogins(client, verifiers);
    return pending.map(({ name }) => name);
  } finally {
    // Ends the session and with it the lock.
    await client.end();
  }
}

/** Runs a file, again and again while somebody has a table that it changes. @throws PipelineError MIGRATION_LOCKED, and what `apply` throws */
async function applyPatiently(
  client: pg.Client,
  file: MigrationFile,
  timeoutMs: number,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  await client.query(`set lock_timeout = ${tableLockTimeoutMs}`);
  for (;;) {
    try {
      return await apply(client, file);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (!hasState(cause, '55P03')) throw error;
      if (performance.now() > giveUpAt)
        throw new PipelineError(
          'MIGRATION_LOCKED',
          `${file.name} got a lock that it needs in no try of ${timeoutMs} ms (${(cause as Error).message}), and nothing of it was kept: look in pg_stat_activity for the transaction that has been open that long, end it, and migrate again`,
          { cause },
        );
      await delay(retryAfterMs);
    }
  }
}

/** Runs a file and records it, in one transaction. @throws PipelineError MIGRATION_FAILED, with nothing kept */
async function apply(client: pg.Client, { name, sql, checksum }: MigrationFile): Promise<void> {
  try {
    await client.query('begin');
    await client.query(sql);
    await assertStillInTransaction(client, name);
    await client.query('insert into schema_migration (name, checksum) values ($1, $2)', [
      name,
      checksum,
    ]);
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback').catch(() => undefined);
    if (cause instanceof PipelineError) throw cause;
    throw new PipelineError(
      'MIGRATION_FAILED',
      `${name}${lineOf(cause, sql)} failed, and nothing of it was kept: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

/** ` line 12`, where the server says at which character of the file it stumbled. */
function lineOf(cause: unknown, sql: string): string {
  const position = Number((cause as { position?: unknown } | null)?.position);
  return position > 0 ? ` line ${sql.slice(0, position).split('\n').length}` : '';
}

/** Asks the server: the savepoint is refused outside of a transaction. */
async function assertStillInTransaction(client: pg.Client, name: string): Promise<void> {
  try {
    await client.query('savepoint migrated');
  } catch (cause) {
    if (!hasState(cause, '25P01')) throw cause;
    throw new PipelineError(
      'MIGRATION_FAILED',
      `${name} ended the transaction that it ran in, so it was kept in part or whole without being recorded: take commit and rollback out of it, and undo by hand what it did`,
      { cause },
    );
  }
}

/** True for an error of the server with this SQLSTATE. */
function hasState(error: unknown, state: string): boolean {
  return error instanceof pg.DatabaseError && error.code === state;
}

/**
 * Asks again and again, and does not wait in the server: a statement that waits has a snapshot, for whose end an index that is built beside the writers waits, and so both would wait
 * for each other.
 */
async function takeLock(client: pg.Client, timeoutMs: number): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_lock($1) as taken',
      [lockKey],
    );
    if (rows[0]?.taken === true) return;
    if (performance.now() > giveUpAt)
      throw new PipelineError(
        'MIGRATION_LOCKED',
        `another runner holds the lock for more than ${timeoutMs} ms: wait for it, or end its session`,
      );
    await delay(askAgainMs);
  }
}

/** The server gets what it keeps of a password, and never the password: a statement that is refused or slow is logged with all its text. */
async function giveLogins(
  client: pg.Client,
  verifiers: readonly (readonly [role: string, verifier: string])[],
): Promise<void> {
  for (const [role, verifier] of verifiers) {
    // The operator's `recover` makes a slot.
    const attributes = role === 'outbound_api' ? 'login' : 'login replication';
    const statement = `alter role ${pg.escapeIdentifier(role)} ${attributes} password ${pg.escapeLiteral(verifier)}`;
    await alterRole(client, statement).catch((cause: unknown) => {
      if (!hasState(cause, '42501')) throw cause;
      throw new PipelineError(
        'MIGRATION_LOGIN_REFUSED',
        `${role} got no login: ${(cause as Error).message}: run migrate as a superuser, or let one run ALTER ROLE ${role} ${attributes.toUpperCase()} PASSWORD … and set no password here`,
        { cause },
      );
    });
  }
}

/**
 * Roles belong to the server and our lock to one database, so the migration of another one may change the same role: Postgres then refuses
 * the later one with an internal error ("tuple concurrently updated"), and the next try, after the other's commit, passes.
 */
async function alterRole(client: pg.Client, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(statement);
      return;
    } catch (error) {
      if (!hasState(error, 'XX000') || attempt === 10) throw error;
    }
  }
}
