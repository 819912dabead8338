import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, cacheRoot } from './cache.ts';

describe('the cache', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cache-test-'));
  });
  afterEach(async () => rm(root, { recursive: true, force: true }));

  it('is where the system keeps caches', () => {
    expect(cacheRoot({ XDG_CACHE_HOME: '/x' })).toBe('/x/outbound');
    expect(cacheRoot({})).toMatch(/\/\.cache\/outbound$/);
  });

  it('builds a folder once, also for callers at the same moment', async () => {
    let builds = 0;
    const build = async (folder: string): Promise<void> => {
      builds += 1;
      await writeFile(join(folder, 'file'), 'content');
    };
    const folders = await Promise.all(
      Array.from({ length: 5 }, async () => cached('it', build, root)),
    );
    expect(new Set(folders)).toEqual(new Set([join(root, 'it')]));
    expect(builds).toBe(1);
    expect(await readFile(join(root, 'it', 'file'), 'utf8')).toBe('content');
    expect(await readdir(root)).toEqual(['it']);
  });

  it('keeps nothing of a build that failed, and builds again', async () => {
    const fails = async (folder: string): Promise<void> => {
      await writeFile(join(folder, 'half'), '');
      throw new Error('no space');
    };
    await expect(cached('it', fails, root)).rejects.toThrow('no space');
    expect(await readdir(root)).toEqual([]);
    await cached('it', async () => Promise.resolve(), root);
    expect(await readdir(root)).toEqual(['it']);
  });

  it('takes over the lock of a process that is dead', async () => {
    // Above the highest pid that Linux gives.
    await writeFile(join(root, 'it.lock'), '4194305');
    await cached('it', async () => Promise.resolve(), root);
    expect(await readdir(root)).toEqual(['it']);
  });
});
