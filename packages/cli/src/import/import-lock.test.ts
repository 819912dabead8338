import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockImport } from './import-lock.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true }));

const holder = (pid: number, host = hostname()) => JSON.stringify({ pid, host });
const deadPid = () => spawnSync(process.execPath, ['--version']).pid;

test('one of many that try at once gets the lock, and the next one when it is given back', async () => {
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockImport(path)));
  const got = tries.filter((each) => each.status === 'fulfilled');
  expect(got).toHaveLength(1);
  await got[0]?.value();
  expect(await readdir(folder)).toEqual([]);
  await (
    await lockImport(path)
  )();
});

test.each([
  ['runs', () => holder(process.ppid), `process ${process.ppid} on ${hostname()} imports`],
  ['is on another machine', () => holder(deadPid(), 'elsewhere'), 'on elsewhere imports'],
  ['does not say who it is', () => '', 'somebody imports'],
])('the lock of one that %s is left to it', async (_, textOf, message) => {
  const text = textOf();
  await writeFile(path, text);
  await expect(lockImport(path)).rejects.toMatchObject({
    code: 'IMPORT_BUSY',
    exitCode: 6,
    message: expect.stringContaining(message) as string,
  });
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('the lock of one that was killed is taken over', async () => {
  await writeFile(path, holder(deadPid()));
  const unlock = await lockImport(path);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ pid: process.pid, host: hostname() });
  await unlock();
});

test('the lock of an earlier life is taken over: a container that was killed starts again with the name and the number that it had', async () => {
  await writeFile(path, holder(process.pid));
  const unlock = await lockImport(path);
  await expect(lockImport(path)).rejects.toMatchObject({ code: 'IMPORT_BUSY' });
  await unlock();
  await (
    await lockImport(path)
  )();
});
