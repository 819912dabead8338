import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startStack } from './index.ts';
import { pollUntil } from './poll-until.ts';
import { isAlive } from './processes/process-tree.ts';

const program = fileURLToPath(new URL('../test-programs/hold-stack.ts', import.meta.url));
const reportSchema = z.object({ pids: z.array(z.number()), dataDir: z.string() });

let temp: string;
beforeEach(async () => {
  temp = await mkdtemp(join(tmpdir(), 'stack-test-'));
});
afterEach(async () => rm(temp, { recursive: true, force: true }));

/** As from a terminal: a process group of its own, which a Ctrl-C reaches as a whole. All it makes is under `temp`. */
function hold(end: string, ...rest: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--import', 'tsx', program, end, ...rest], {
    detached: true,
    env: { ...process.env, TMPDIR: temp, OUTBOUND_STACK: 'processes' },
  });
}

async function firstLine(child: ChildProcessWithoutNullStreams): Promise<string> {
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error(`the program said nothing: ${stderr}`);
}

/** Processes that work under `temp`: every one that the stack starts names it in its arguments or runs in it. */
async function leftovers(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes(temp));
}

async function expectNothingLeft(): Promise<void> {
  await pollUntil(async () => (await leftovers()).length === 0 && !(await hasStackFolders()), {
    what: `the end of everything under ${temp}`,
    timeoutMs: 10_000,
  }).catch(async (error: unknown) => {
    throw new Error(`left: ${(await leftovers()).join()} ${(await readdir(temp)).join()}`, {
      cause: error,
    });
  });
}

/** tsx keeps its own cache in the temporary folder, which is no business of ours. */
async function hasStackFolders(): Promise<boolean> {
  return (await readdir(temp)).some((name) => name.startsWith('outbound-'));
}

describe('a stack of processes', () => {
  it.each([
    ['SIGKILL', 'stay', (pid: number) => process.kill(pid, 'SIGKILL')],
    ['Ctrl-C', 'stay', (pid: number) => process.kill(-pid, 'SIGINT')],
    ['SIGTERM', 'stay', (pid: number) => process.kill(pid, 'SIGTERM')],
    ['a closed terminal', 'stay', (pid: number) => process.kill(-pid, 'SIGHUP')],
    ['process.exit', 'exit', () => true],
    ['an uncaught error', 'throw', () => true],
    ['running out of things to do', 'return', () => true],
  ])('ends, and leaves nothing, when its parent ends by %s', async (_how, end, kill) => {
    const child = hold(end);
    const ended = once(child, 'exit');
    const { pids, dataDir } = reportSchema.parse(JSON.parse(await firstLine(child)));
    expect(dataDir.startsWith(temp)).toBe(true);
    expect(child.pid && kill(child.pid)).toBe(true);
    await ended;
    await expectNothingLeft();
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it('leaves nothing when its parent is killed at any moment of its start', async () => {
    for (const afterMs of [300, 500, 650, 800, 1000, 1200, 1500, 1900]) {
      const child = hold('stay');
      const ended = once(child, 'exit');
      // Not a wait for something: the moments of the fault, over all the steps of a start.
      await delay(afterMs);
      child.kill('SIGKILL');
      await ended;
      await expectNothingLeft();
    }
  });

  it('keeps the data of a named folder in good order when its parent is killed', async () => {
    const dataDir = join(temp, 'kept');
    const child = hold('stay', dataDir);
    const ended = once(child, 'exit');
    const { pids } = reportSchema.parse(JSON.parse(await firstLine(child)));
    child.kill('SIGKILL');
    await ended;
    await pollUntil(() => !pids.some(isAlive), {
      what: 'the end of the servers',
      timeoutMs: 20_000,
    });
    await using stack = await startStack({ form: 'processes', dataDir });
    const log = await readFile(stack.postgres.logFile, 'utf8');
    expect(log).toContain('database system is shut down');
    expect(log).not.toContain('automatic recovery in progress');
  });

  it('goes on with the same data when it is started again on a named folder', async () => {
    const dataDir = join(temp, 'kept');
    const first = await startStack({ form: 'processes', dataDir });
    await first.postgres.createDatabase('kept');
    expect((await first.kafka.tool('topics', ['--create', '--topic', 'kept'])).code).toBe(0);
    await first.stop();
    await first.stop();
    await using second = await startStack({ form: 'processes', dataDir });
    await expect(second.postgres.createDatabase('kept')).rejects.toThrow('already exists');
    const { stdout } = await second.kafka.tool('topics', ['--list']);
    expect(stdout.trim().split('\n')).toContain('kept');
  });
});
