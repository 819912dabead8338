import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineError } from '@outbound/service-kit';

/** One SQL file: `0004_outbox.sql`. */
export interface MigrationFile {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of its text, hexadecimal. */
  readonly checksum: string;
}

/** A migration that the database has had. */
export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
}

/**
 * The files of a directory in their order.
 * @throws PipelineError MIGRATION_INVALID naming a file whose name is not `NNNN_name.sql`, two with one number, or an empty directory.
 */
export function readMigrationFiles(directory: string): readonly MigrationFile[] {
  let names: string[];
  try {
    names = readdirSync(directory)
      .filter((name) => name.endsWith('.sql'))
      .sort();
  } catch (cause) {
    throw new PipelineError(
      'MIGRATION_INVALID',
      `the directory ${directory} cannot be read: set CATALOG_MIGRATE_DIRECTORY`,
      { cause },
    );
  }
  if (names.length === 0)
    throw new PipelineError(
      'MIGRATION_INVALID',
      `the directory ${directory} holds no .sql file: set CATALOG_MIGRATE_DIRECTORY`,
    );
  const numbers = new Map<string, string>();
  for (const name of names) {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1];
    if (number === undefined)
      throw new PipelineError('MIGRATION_INVALID', `${name}: a migration is called NNNN_name.sql`);
    const other = numbers.get(number);
    if (other !== undefined)
      throw new PipelineError(
        'MIGRATION_INVALID',
        `${other} and ${name} have the same number: give the later one the next`,
      );
    numbers.set(number, name);
  }
  return names.map((name) => {
    const sql = readFileSync(join(directory, name), 'utf8');
    return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

/**
 * What is still to be run, in order. Forward only, and the past stays as it was run.
 * @throws PipelineError MIGRATION_EDITED (a file differs from what was run), MIGRATION_MISSING (a file that was run is gone),
 * MIGRATION_OUT_OF_ORDER (a new file comes before one that was run: merged late, and other databases have them in another order).
 */
export function pendingMigrations(
  files: readonly MigrationFile[],
  applied: readonly AppliedMigration[],
): readonly MigrationFile[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  for (const { name, checksum } of applied) {
    const file = byName.get(name);
    if (!file)
      throw new PipelineError(
        'MIGRATION_MISSING',
        `${name} was run on this database and is not there any more: deploy the version that has it, or a later one`,
      );
    if (file.checksum !== checksum)
      throw new PipelineError(
        'MIGRATION_EDITED',
        `${name} was changed after it was run: restore it, and write the change as a new file`,
      );
  }
  const done = new Set(applied.map(({ name }) => name));
  const newest = [...done].sort().at(-1) ?? '';
  const pending = files.filter(({ name }) => !done.has(name));
  const late = pending.find(({ name }) => name < newest);
  if (late)
    throw new PipelineError(
      'MIGRATION_OUT_OF_ORDER',
      `${late.name} comes before ${newest}, which was run already: give it a number after that`,
    );
  return pending;
}
