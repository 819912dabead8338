import { constants, type BigIntStats } from 'node:fs';
import { link, lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { ConsumerError } from '../errors.ts';

/** What was under a path when it was looked at: a file of ours as it was then, or nothing. */
export type Occupant = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs'> | 'nothing';

/**
 * Opens a regular file to be read; anything else under that path is refused at once, and never waited for: a pipe, a
 * device, a folder. So is a symbolic
 * link: what it points to may be anybody's.
 * @returns undefined if there is nothing.
 * @throws ConsumerError STORE_UNUSABLE
 */
export async function openRegularFile(path: string): Promise<FileHandle | undefined> {
  const found = await lstatOf(path);
  if (!found) return undefined;
  requireRegular(path, found);
  // Without waiting for a pipe, and not through a link, if one of them came this very moment.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    requireRegular(path, await file.stat({ bigint: true }));
    return file;
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

function requireRegular(path: string, found: BigIntStats): void {
  if (found.isFile()) return;
  const what = found.isSymbolicLink()
    ? 'a symbolic link'
    : found.isDirectory()
      ? 'a folder'
      : found.isFIFO()
        ? 'a pipe'
        : 'a device or a socket';
  throw new ConsumerError(
    'STORE_UNUSABLE',
    `${path} is ${what} and no snapshot: nothing was changed; name a file`,
  );
}

export async function occupantOf(path: string): Promise<Occupant> {
  const found = await lstatOf(path);
  return found ? occupant(found) : 'nothing';
}

export function occupant({ dev, ino, size, mtimeNs }: BigIntStats): Occupant {
  return { dev, ino, size, mtimeNs };
}

/**
 * Gives the file `beside` the name `path`, if there is still under it what was there before. Where nothing was, the
 * file system itself sees to it that nothing is replaced;
 * between the last look at a file of ours and its replacement is a moment that no call closes.
 * @throws ConsumerError STORE_UNUSABLE if something else is there now; `beside` stays then.
 */
export async function putInPlace(beside: string, path: string, before: Occupant): Promise<void> {
  await requireUnchanged(path, before);
  if (before !== 'nothing') return rename(beside, path);
  try {
    await link(beside, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') throw changed(path);
    // A file system without hard links.
    return rename(beside, path);
  }
  await rm(beside);
}

/** @throws ConsumerError STORE_UNUSABLE if the path has something else now. */
export async function requireUnchanged(path: string, before: Occupant): Promise<void> {
  const now = await occupantOf(path);
  const isSame =
    before === 'nothing' || now === 'nothing'
      ? before === now
      : before.dev === now.dev &&
        before.ino === now.ino &&
        before.size === now.size &&
        before.mtimeNs === now.mtimeNs;
  if (!isSame) throw changed(path);
}

function changed(path: string): ConsumerError {
  return new ConsumerError(
    'STORE_UNUSABLE',
    `somebody else wrote ${path} meanwhile: it is left as it is; name another file, or stop the other one and begin again`,
  );
}

/** As it is now, if there is a file: whoever changed its rights since it was read meant the next one too. */
export async function modeOf(path: string): Promise<number | undefined> {
  const found = await lstatOf(path);
  return found && Number(found.mode) & 0o777;
}

async function lstatOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
