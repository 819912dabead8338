import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlreadyRunningError, claim, holderOf, holderText } from './claim.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-claim-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

test('a second one is told who holds the directory', async () => {
  const held = await claim(folder);
  held.describe({ api: 'http://127.0.0.1:8080', kafka: ['127.0.0.1:9092'] });
  await expect(claim(folder)).rejects.toThrow(AlreadyRunningError);
  await expect(claim(folder)).rejects.toThrow(`pid ${process.pid}, API http://127.0.0.1:8080`);
  expect(await holderOf(folder)).toEqual({
    pid: process.pid,
    api: 'http://127.0.0.1:8080',
    kafka: ['127.0.0.1:9092'],
  });
  await held.release();
});

test('a directory is free again after its release', async () => {
  await (await claim(folder)).release();
  expect(await holderOf(folder)).toBeUndefined();
  await (await claim(folder)).release();
});

test('a directory is created if it is not there', async () => {
  const held = await claim(join(folder, 'deep', 'down'));
  await held.release();
});

test('the claim of a process that was killed is taken over', async () => {
  const path = join(folder, 'running.sock');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('held'))`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await access(path);
  expect(await holderOf(folder)).toBeUndefined();
  const held = await claim(folder);
  expect(holderText((await holderOf(folder)) ?? { pid: 0 })).toBe(`pid ${process.pid}`);
  await held.release();
});
