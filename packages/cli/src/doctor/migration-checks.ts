import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fault, ok, unknown, warning, type Finding } from './finding.ts';

/** A migration by name and SHA-256 of its text. */
export interface Migration {
  readonly name: string;
  readonly checksum: string;
}

/** The files of a directory in their order; undefined if it is not there. */
export function migrationFiles(directory: string): readonly Migration[] | undefined {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.sql'))
      .sort()
      .map((name) => ({
        name,
        checksum: createHash('sha256')
          .update(readFileSync(join(directory, name), 'utf8'))
          .digest('hex'),
      }));
  } catch {
    return undefined;
  }
}

/**
 * Whether the database has had what the files say.
 * @param applied undefined: the database was never migrated, or it may not be seen.
 */
export function judgeMigrations(
  files: readonly Migration[] | undefined,
  applied: readonly Migration[] | undefined,
): Finding {
  const check = 'migrations';
  if (applied === undefined) return fault(check, 'none was ever run here', 'run migrate');
  if (files === undefined || files.length === 0)
    return unknown(
      check,
      `${applied.length} were run, the newest is ${applied.at(-1)?.name ?? 'none'}; there are no files to compare with`,
      'name their directory with --migrations',
    );
  const done = new Map(applied.map(({ name, checksum }) => [name, checksum]));
  const pending = files.filter(({ name }) => !done.has(name));
  const edited = files.filter(
    ({ name, checksum }) => done.has(name) && done.get(name) !== checksum,
  );
  const known = new Set(files.map(({ name }) => name));
  const newer = applied.filter(({ name }) => !known.has(name));
  const list = (migrations: readonly Migration[]) => migrations.map(({ name }) => name).join(', ');
  if (edited.length > 0)
    return fault(
      check,
      `${list(edited)} differ from what was run`,
      'restore the files, and write the change as a new one',
    );
  if (pending.length > 0) return fault(check, `not run yet: ${list(pending)}`, 'run migrate');
  if (newer.length > 0)
    return warning(
      check,
      `the database is ahead of these files: ${list(newer)}`,
      'use the version of outbound that belongs to the database',
    );
  return ok(check, `all ${files.length} were run`);
}
