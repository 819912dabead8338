import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const ourEnd = /^\.[0-9a-f]{12}\.tmp$/;

/** A new name in the same folder, `path.<12 hexadecimal digits>.tmp`. */
export function nameBeside(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.tmp`;
}

/**
 * A file beside `path` that no name leads to: however the process ends, nothing of it stays. Nobody else may read it.
 */
export async function openNameless(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  const name = nameBeside(path);
  const file = await open(name, 'wx+', 0o600);
  await rm(name);
  return file;
}

/**
 * Removes what writers of `path` left that were killed: files of names that `nameBeside` gives. One who writes at this
 * moment (there may be one at a time) finds nothing to put in place and fails; what is under `path` stays whole.
 */
export async function sweepBeside(path: string): Promise<void> {
  const folder = dirname(path);
  const own = basename(path);
  let names: readonly string[];
  try {
    names = (await readdir(folder, { withFileTypes: true }))
      .filter((each) => each.isFile())
      .map(({ name }) => name);
  } catch {
    // No folder yet, or one that may not be listed: then there is nothing, or it stays.
    return;
  }
  for (const name of names)
    if (name.startsWith(own) && ourEnd.test(name.slice(own.length)))
      await rm(join(folder, name), { force: true });
}
