import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { childrenOf, freezeTree, isAlive, killTree, thawTree } from './process-tree.ts';

/** A shell with a child that has a session of its own, as a postmaster has. Both are busy. */
async function busyPair(): Promise<{ parent: number; child: number }> {
  const busy = 'while :; do :; done';
  const shell = spawn('/bin/sh', ['-c', `setsid sh -c '${busy}' & echo $!; ${busy}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const [line] = (await once(shell.stdout, 'data')) as [Buffer];
  return { parent: shell.pid ?? 0, child: Number(line.toString()) };
}

describe('a process with its children', () => {
  it('stands still as soon as it is said to be frozen, goes on when thawed, and is gone when killed', async () => {
    const { parent, child } = await busyPair();
    const state = async (pid: number) =>
      /^State:\s+(\S)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    expect(await childrenOf(parent)).toEqual([child]);
    onTestFinished(async () => killTree(parent));
    for (let round = 0; round < 20; round++) {
      expect(await freezeTree(parent)).toEqual([parent, child]);
      expect([await state(parent), await state(child)]).toEqual(['T', 'T']);
      await thawTree(parent);
    }
    await killTree(parent);
    expect([isAlive(parent), isAlive(child)]).toEqual([false, false]);
    expect(await childrenOf(parent)).toEqual([]);
  });
});
