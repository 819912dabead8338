import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { pollUntil } from '../poll-until.ts';

/** Whether the process runs. A zombie does not: it holds nothing but its number. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  if (process.platform !== 'linux') return true;
  const state = stateOf(pid);
  return state !== undefined && state !== 'Z';
}

/** The letter that Linux gives for the state: `T` stopped, `Z` zombie. Undefined when the process is gone. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The state follows the command, which is in brackets and may hold anything.
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return undefined;
  }
}

/**
 * Direct children. A process group is not enough: every Postgres backend makes its own session
 * (InitPostmasterChild in miscinit.c), so signals to the postmaster's group never reach it.
 */
export async function childrenOf(pid: number): Promise<number[]> {
  if (process.platform === 'linux') {
    const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
    const lists = await Promise.all(
      threads.map(async (thread) =>
        readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => ''),
      ),
    );
    return lists.flatMap(pidsIn);
  }
  return new Promise((resolve) => {
    execFile('pgrep', ['-P', String(pid)], (_error, stdout) => resolve(pidsIn(stdout)));
  });
}

function pidsIn(text: string): number[] {
  return text.split(/\s+/).filter(Boolean).map(Number);
}

/** Sends a signal; a process that is already gone is no error. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/**
 * Stops the process and its children where they stand (SIGSTOP); gives whom. The parent first, so that it makes no more. Comes back when they do stand:
 * a signal is only noted at first, and a process that is waiting for its disk or for a core goes on for a moment.
 */
export async function freezeTree(pid: number): Promise<number[]> {
  await freeze([pid]);
  const tree = [pid, ...(await childrenOf(pid))];
  await freeze(tree);
  return tree;
}

async function freeze(pids: readonly number[]): Promise<void> {
  for (const pid of pids) signalIfAlive(pid, 'SIGSTOP');
  if (process.platform !== 'linux') return;
  const stands = (pid: number): boolean => !isAlive(pid) || /[Tt]/.test(stateOf(pid) ?? 'T');
  await pollUntil(() => pids.every(stands), {
    what: `the stop of the processes ${pids.join(', ')}`,
    timeoutMs: 30_000,
    intervalMs: 1,
  });
}

/** Undoes freezeTree: the children first, so that the parent finds them answering. */
export async function thawTree(pid: number): Promise<void> {
  for (const child of await childrenOf(pid)) signalIfAlive(child, 'SIGCONT');
  signalIfAlive(pid, 'SIGCONT');
}

/** SIGKILL to the process and all its children at one moment; comes back when none is left. */
export async function killTree(pid: number): Promise<void> {
  const tree = await freezeTree(pid);
  for (const member of tree) signalIfAlive(member, 'SIGKILL');
  await pollUntil(() => !tree.some(isAlive), {
    what: `the end of the killed processes ${tree.join(', ')}`,
    timeoutMs: 30_000,
    intervalMs: 5,
  });
}
