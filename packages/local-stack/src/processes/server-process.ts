import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { PortTakenError, StackError } from '../errors.ts';
import { pollUntil } from '../poll-until.ts';
import { gated, goAhead } from './gate.ts';
import type { Guardian } from './guardian.ts';
import { freezeTree, killTree, signalIfAlive, thawTree } from './process-tree.ts';
import type { Demotion } from './run-as.ts';

export interface Launch {
  /** What it is, for messages: `Postgres 18`. */
  readonly what: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly demotion?: Demotion;
  readonly guardian: Guardian;
  /** How the guardian ends it. */
  readonly lastSignal: 'INT' | 'QUIT' | 'TERM';
  readonly graceSeconds: number;
}

/** One run of a server, from its launch to its end. */
export interface ServerProcess {
  readonly pid: number;
  isRunning(): boolean;
  /** Asks until `ask` has an answer. @throws StackError with the end of the log, at once if the server ends before that. */
  untilReady(ask: () => Promise<boolean>, timeoutMs: number): Promise<void>;
  /** Sends the signal and waits for the end. @throws StackError if the server is still there at the deadline. */
  end(signal: NodeJS.Signals, timeoutMs: number): Promise<{ durationMs: number }>;
  /** SIGKILL, children included. */
  kill(): Promise<void>;
  /** SIGSTOP, children included. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** A killed process is gone at once, unless the machine has much else to do. */
const killLimitMs = 30_000;

/** Starts a server, gated, in a session of its own (a Ctrl-C at the terminal is for us, not for it), with its output in its log file. */
export async function launch(options: Launch): Promise<ServerProcess> {
  const { what, command, cwd, env, logFile, demotion, guardian } = options;
  const log = await open(logFile, 'a');
  const logStart = (await log.stat()).size;
  const [shell, ...rest] = gated([...(demotion?.prefix ?? []), ...command]);
  const child = spawn(shell, rest, {
    detached: true,
    cwd,
    env,
    stdio: ['pipe', log.fd, log.fd],
    ...demotion?.ids,
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new StackError(`${what} could not be started in ${cwd}`, { cause: error });
  } finally {
    await log.close();
  }
  const { stdin, pid } = child;
  if (pid === undefined || !(stdin instanceof Socket))
    throw new StackError(`${what} did not start`);
  child.unref();
  stdin.unref();
  stdin.on('error', () => undefined);
  child.once('exit', () => {
    // Its number may soon be another process's. A guardian that is gone guards nothing.
    guardian.unwatch().catch(() => undefined);
  });
  await guardian.watch(pid, options.lastSignal, options.graceSeconds);
  stdin.end(goAhead);

  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const ended = async (timeoutMs: number): Promise<void> => {
    await pollUntil(() => !isRunning(), {
      what: `the end of ${what} (pid ${pid})`,
      timeoutMs,
      intervalMs: 5,
    });
  };
  return {
    pid,
    isRunning,
    untilReady: async (ask, timeoutMs) => {
      let lookedAt = performance.now();
      const portTaken = async (): Promise<boolean> => {
        lookedAt = performance.now();
        return (await outputSince(logFile, logStart)).includes('Address already in use');
      };
      const stop = await pollUntil(
        async () => {
          if (await ask().catch(() => false)) return 'ready';
          if (!isRunning()) return 'ended';
          // Postgres ends by itself then. Kafka stays for minutes.
          return performance.now() - lookedAt > 200 && (await portTaken()) && 'port taken';
        },
        { what, timeoutMs, intervalMs: 15 },
      ).catch(() => 'late' as const);
      if (stop === 'ready') return;
      const how = `${child.signalCode ?? `exit code ${child.exitCode ?? '?'}`}`;
      if (isRunning()) await killTree(pid);
      await ended(killLimitMs);
      const log = `Its log ends with:\n${await logEnd(logFile)}`;
      if (await portTaken())
        throw new PortTakenError(`${what} found its port taken: Address already in use. ${log}`);
      if (stop === 'ended') throw new StackError(`${what} ended while it started (${how}). ${log}`);
      throw new StackError(`${what} was not ready within ${timeoutMs} ms. ${log}`);
    },
    end: async (signal, timeoutMs) => {
      const start = performance.now();
      signalIfAlive(pid, signal);
      await ended(timeoutMs);
      return { durationMs: performance.now() - start };
    },
    kill: async () => {
      await killTree(pid);
      await ended(killLimitMs);
    },
    pause: async () => {
      await freezeTree(pid);
    },
    resume: async () => thawTree(pid),
  };
}

async function outputSince(logFile: string, start: number): Promise<string> {
  return (await readFile(logFile)).subarray(start).toString();
}

/** The last lines of a log, for an error message. */
async function logEnd(logFile: string, lines = 15): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '(no log)');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
