import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { StackError } from '../errors.ts';
import { pollUntil } from '../poll-until.ts';
import { startGuardian, type Guardian } from './guardian.ts';
import { isAlive } from './process-tree.ts';

/** Where what is costly to make is kept between runs: `$XDG_CACHE_HOME/outbound`, else `~/.cache/outbound`. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'outbound');
}

/**
 * The folder `name` of the cache, made by `build` if it is not there yet; its guardian is for what it leaves elsewhere meanwhile. It appears complete or not at all: it is built beside its place and renamed.
 * Safe between processes: a lock spares them the double work, and if it fails, the first rename wins.
 */
export async function cached(
  name: string,
  build: (folder: string, guardian: Guardian) => Promise<void>,
  root: string = cacheRoot(),
): Promise<string> {
  const place = join(root, name);
  if (await exists(place)) return place;
  await mkdir(root, { recursive: true }).catch((error: unknown) => {
    throw new StackError(
      `the cache ${root} cannot be made: set XDG_CACHE_HOME to a folder you own`,
      {
        cause: error,
      },
    );
  });
  const guardian = await startGuardian();
  const unlock = await lock(`${place}.lock`, guardian);
  const draft = `${place}.draft-${randomUUID().slice(0, 8)}`;
  await guardian.remove(draft);
  try {
    if (await exists(place)) return place;
    await mkdir(draft);
    await build(draft, guardian);
    await rename(draft, place).catch(async (error: unknown) => {
      if (!(await exists(place))) throw error;
    });
    return place;
  } finally {
    await rm(draft, { recursive: true, force: true });
    await unlock();
    await guardian.leave();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The lock holds its owner's pid, so that a lock whose owner died is taken over. */
async function lock(path: string, guardian: Guardian): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true });
  await pollUntil(
    async () => {
      try {
        const file = await open(path, 'wx');
        await file.writeFile(String(process.pid));
        await file.close();
        await guardian.remove(path);
        return true;
      } catch {
        const owner = Number(await readFile(path, 'utf8').catch(() => ''));
        // 0: between the owner's creation and its write.
        if (owner > 0 && !isAlive(owner)) await rm(path, { force: true });
        return false;
      }
    },
    {
      what: `waiting for the lock ${path} (delete it if no other run is at work)`,
      timeoutMs: 600_000,
      intervalMs: 100,
    },
  );
  return async () => rm(path, { force: true });
}
