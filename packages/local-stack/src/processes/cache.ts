import { mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { StackError } from '../errors.ts';
import { pollUntil } from '../poll-until.ts';
import { isAlive } from './process-tree.ts';

/** Where what is costly to make is kept between runs: `$XDG_CACHE_HOME/outbound`, else `~/.cache/outbound`. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'outbound');
}

/**
 * The folder `name` of the cache, made by `build` if it is not there yet. It appears complete or not at all: it is built beside its place and renamed.
 * Safe between processes: a lock spares them the double work, and if it fails, the first rename wins.
 */
export async function cached(
  name: string,
  build: (folder: string) => Promise<void>,
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
  const unlock = await lock(`${place}.lock`);
  try {
    if (await exists(place)) return place;
    const draft = await mkdtemp(`${place}.draft-`);
    try {
      await build(draft);
      await rename(draft, place).catch(async (error: unknown) => {
        if (!(await exists(place))) throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return place;
  } finally {
    await unlock();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The lock holds its owner's pid, so that a lock whose owner died is taken over. */
async function lock(path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true });
  await pollUntil(
    async () => {
      try {
        const file = await open(path, 'wx');
        await file.writeFile(String(process.pid));
        await file.close();
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
