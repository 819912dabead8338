import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.ts';

const holderSchema = z.object({ pid: z.int().min(1), host: z.string() });
type Holder = z.output<typeof holderSchema>;

/** What is told of a file that somebody else is at. */
export interface LockAbout {
  readonly code: string;
  /** `imports` this file. */
  readonly does: string;
}

/** The locks that this process has or tries to get: any other with its number was left by an earlier process. */
const held = new Set<string>();

/** Beside the state that it guards. */
export function lockPath(state: string): string {
  return `${state}.lock`;
}

/**
 * Sees to it that one process at a time imports a file, or exports to it: two would write one state and one list of refused rows over
 * each other. A lock whose process ended without a word (a kill) is taken over, also where this process has the number
 * that it had, as in a container that was started again; between the look at it and that is a moment in which two may
 * both do it.
 * @returns what gives it back.
 * @throws CliError IMPORT_BUSY, or what `about` says, exit 6: nothing was done.
 */
export async function lockImport(
  path: string,
  about: LockAbout = { code: 'IMPORT_BUSY', does: 'imports' },
): Promise<() => Promise<void>> {
  if (held.has(path)) throw busy(path, await readHolder(path), about);
  held.add(path);
  try {
    await take(path, about);
  } catch (error) {
    held.delete(path);
    throw error;
  }
  return async () => {
    await rm(path, { force: true });
    held.delete(path);
  };
}

async function take(path: string, about: LockAbout): Promise<void> {
  const mine = `${JSON.stringify({ pid: process.pid, host: hostname() } satisfies Holder)}\n`;
  if (await isMade(path, mine)) return;
  const holder = await readHolder(path);
  if (holder === undefined || !isGone(holder)) throw busy(path, holder, about);
  await rm(path, { force: true });
  if (!(await isMade(path, mine))) throw busy(path, await readHolder(path), about);
}

/** In one step: of two that try, one makes it. */
async function isMade(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined if it does not say who it is: then nothing proves that he is gone. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Of processes on other machines, or in other containers, nothing is known here. */
function isGone({ pid, host }: Holder): boolean {
  if (host !== hostname()) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function busy(path: string, holder: Holder | undefined, { code, does }: LockAbout): CliError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'somebody';
  return new CliError(
    code,
    `${who} ${does} this file (${path}); nothing was done: wait for the end of it, and remove the lock only if there is ` +
      'no such process any more',
    { exitCode: exitCodes.busy },
  );
}
