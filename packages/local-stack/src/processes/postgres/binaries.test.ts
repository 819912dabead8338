import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linkLibraries } from './binaries.ts';

describe('the Postgres binaries from npm', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'binaries-test-'));
    await mkdir(join(root, 'native', 'lib'), { recursive: true });
  });
  afterEach(async () => rm(root, { recursive: true, force: true }));

  it('get the links between their libraries without an install script, any number of times', async () => {
    await writeFile(join(root, 'native', 'lib', 'libpq.so.5.18'), 'library');
    await writeFile(
      join(root, 'native', 'pg-symlinks.json'),
      '[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]',
    );
    await linkLibraries(root);
    await linkLibraries(root);
    const link = join(root, 'native', 'lib', 'libpq.so.5');
    expect(await readFile(link, 'utf8')).toBe('library');
    // Relative, so that node_modules can be moved.
    expect(await readlink(link)).toBe('libpq.so.5.18');
  });

  it('need no link on a system whose package lists none', async () => {
    await linkLibraries(root);
  });
});
