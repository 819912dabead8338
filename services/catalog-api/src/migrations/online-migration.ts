import { PipelineError } from '@outbound/service-kit';
import pg from 'pg';
import type { MigrationFile } from './migration-file.ts';

/** The first line of a file whose indexes are built beside the writers. */
const mark = /^-- online\b/;

/** One statement of such a file. */
export interface OnlineStatement {
  readonly sql: string;
  /** The index that it makes or drops. */
  readonly index: string;
  readonly creates: boolean;
}

/** Whether the statements of this file run one by one and in no transaction: `-- online` is how it begins. */
export function isOnline({ sql }: Pick<MigrationFile, 'sql'>): boolean {
  return mark.test(sql);
}

/**
 * The statements of an online file. Each must be one that can be run again after it broke off: `create index concurrently if not exists` or `drop index concurrently if exists`.
 * @throws PipelineError MIGRATION_INVALID naming file and statement
 */
export function onlineStatements({ name, sql }: MigrationFile): readonly OnlineStatement[] {
  return sql
    .replace(/--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .map((statement) => {
      const index =
        /^create (?:unique )?index concurrently if not exists (\w+) on /i.exec(statement)?.[1] ??
        /^drop index concurrently if exists (\w+)$/i.exec(statement)?.[1];
      if (index === undefined)
        throw new PipelineError(
          'MIGRATION_INVALID',
          `${name}: "${statement.slice(0, 80)}" has no place in a file that begins with "-- online": only "create index concurrently if not exists … on …" and "drop index concurrently if exists …" can be run again after they broke off`,
        );
      return { sql: statement, index, creates: /^create/i.test(statement) };
    });
}

/**
 * Builds what an online file says, beside readers and writers, and records the file. A build that broke off, here or in an earlier run, leaves an index that costs each write and
 * serves nobody: it is dropped, and built anew.
 *
 * A build waits for the transactions that are open when it begins and keeps nobody waiting meanwhile, so it may wait for as long as a runner waits for another.
 * @throws PipelineError MIGRATION_INVALID; MIGRATION_LOCKED if such a transaction stays open; MIGRATION_FAILED. What was built before stays, and the next run goes on there.
 */
export async function applyOnline(
  client: pg.Client,
  file: MigrationFile,
  timeoutMs: number,
): Promise<void> {
  const { name, checksum } = file;
  const statements = onlineStatements(file);
  try {
    await client.query(`set lock_timeout = ${Math.max(1, Math.floor(timeoutMs))}`);
    for (const { sql, index, creates } of statements) {
      if (creates && (await isInvalid(client, index)))
        await client.query(`drop index concurrently ${pg.escapeIdentifier(index)}`);
      await client.query(sql);
    }
    await client.query('insert into schema_migration (name, checksum) values ($1, $2)', [
      name,
      checksum,
    ]);
  } catch (cause) {
    const isLocked = cause instanceof pg.DatabaseError && cause.code === '55P03';
    throw new PipelineError(
      isLocked ? 'MIGRATION_LOCKED' : 'MIGRATION_FAILED',
      isLocked
        ? `${name}: an index could not be built in ${timeoutMs} ms, since a transaction that began before stays open: look in pg_stat_activity for it, end it, and migrate again`
        : `${name} failed; what it built before stays, and migrating again goes on there: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

async function isInvalid(client: pg.Client, index: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'select from pg_index where indexrelid = to_regclass($1) and not indisvalid',
    [pg.escapeIdentifier(index)],
  );
  return rowCount === 1;
}
