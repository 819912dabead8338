import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from '../once.ts';
import { startGuardian } from './guardian.ts';
import { launch } from './server-process.ts';

export interface ProgramOptions {
  /** What it is, for messages: `Kafka Connect`. */
  readonly what: string;
  /** Called with the program's folder, so that files can be put there before it starts. */
  readonly command: (
    folder: string,
  ) => readonly [string, ...string[]] | Promise<readonly [string, ...string[]]>;
  /** Beside PATH and TZ=UTC. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program that runs beside the stack. */
export interface Program extends AsyncDisposable {
  /** Its working folder, temporary and its own. */
  readonly folder: string;
  isRunning(): boolean;
  /** What it has written to both of its outputs. */
  output(): Promise<string>;
  /** Asks until `ask` says yes; an error of `ask` is a no. @throws StackError with the end of its output, at once if it ends before that. */
  untilReady(ask: () => Promise<boolean>, timeoutMs?: number): Promise<void>;
  /** SIGTERM, and its end. @throws StackError if it is still there at the deadline (default 30 s). */
  end(timeoutMs?: number): Promise<void>;
  /** SIGKILL, children included, and its folder is removed. Any number of times. */
  close(): Promise<void>;
}

/** Starts a program, such as a client in another language, that never outlives us, however we end. @throws StackError when it cannot be started. */
export async function startProgram({ what, command, env = {} }: ProgramOptions): Promise<Program> {
  const guardian = await startGuardian();
  const folder = await guardian.temporaryFolder('outbound-program-');
  const logFile = join(folder, 'output.log');
  const close = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    await guardian.leave();
  };
  try {
    const running = await launch({
      what,
      command: await command(folder),
      cwd: folder,
      env: { PATH: process.env['PATH'], TZ: 'UTC', ...env },
      logFile,
      guardian,
      lastSignal: 'TERM',
      graceSeconds: 0,
    });
    const closeAll = once(async () => {
      if (running.isRunning()) await running.kill();
      await close();
    });
    return {
      folder,
      isRunning: () => running.isRunning(),
      output: async () => readFile(logFile, 'utf8'),
      untilReady: async (ask, timeoutMs = 60_000) => running.untilReady(ask, timeoutMs),
      end: async (timeoutMs = 30_000) => {
        await running.end('SIGTERM', timeoutMs);
      },
      close: closeAll,
      [Symbol.asyncDispose]: closeAll,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
