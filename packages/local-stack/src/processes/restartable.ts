import { StackError } from '../errors.ts';
import type { ServerProcess } from './server-process.ts';

/** A server over all its runs: at most one process at a time, on the same ports and data. */
export interface Restartable {
  /** @throws StackError when it is not running. */
  readonly process: () => ServerProcess;
  readonly isRunning: () => boolean;
  readonly start: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly pause: () => Promise<void>;
  readonly resume: () => Promise<void>;
  /** No start after this. */
  readonly retire: () => void;
}

/** @param run starts a process and comes back when it is ready. It is first called by `start`. */
export function restartable(what: string, run: () => Promise<ServerProcess>): Restartable {
  let current: ServerProcess | undefined;
  let starting = false;
  let retired = false;
  const process = (): ServerProcess => {
    if (!current?.isRunning()) throw new StackError(`${what} is not running: start() it first`);
    return current;
  };
  return {
    process,
    isRunning: () => current?.isRunning() ?? false,
    start: async () => {
      if (retired) throw new StackError(`${what} was closed for good: start a new one`);
      if (starting || current?.isRunning()) throw new StackError(`${what} is running already`);
      starting = true;
      try {
        current = await run();
      } finally {
        starting = false;
      }
    },
    kill: async () => process().kill(),
    pause: async () => process().pause(),
    resume: async () => process().resume(),
    retire: () => {
      retired = true;
    },
  };
}
