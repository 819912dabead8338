import { setImmediate as nextTurn } from 'node:timers/promises';
import { PipelineError } from './errors.ts';
import type { Logger } from './logger.ts';

/** What a running program is given by `runUntilSignal`. */
export interface Lifecycle {
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Resolves when the process is asked to stop. A server's main awaits it. */
  readonly stopRequested: Promise<void>;
  /**
   * Registers how to close something. **Order**: last registered is closed first, one after the other, so what was opened
   * on top of a pool is closed before the pool. A failing one is logged and does not hold up the others.
   */
  readonly onClose: (name: string, close: () => Promise<void> | void) => void;
}

/** The part of `process` that a lifecycle touches; tests pass their own. */
export interface ProcessHost {
  on(event: string, listener: (reason: unknown) => void): unknown;
  off(event: string, listener: (reason: unknown) => void): unknown;
  exit(code: number): void;
}

const exitCodes = { closeFailed: 1, configInvalid: 2, defect: 70, secondSignal: 130 } as const;

/**
 * Runs a program until it ends by itself or SIGTERM or SIGINT asks it to stop; then closes what it registered and exits the process
 * with the code that `main` gave (0 if none). Exit 1: closing failed or took longer than `deadlineMs`. Exit 2: `main` threw CONFIG_INVALID, which is
 * told in one sentence. Exit 70: it threw something else, or an exception or rejection reached nobody, which is a defect. Exit 130 at once: a second
 * signal.
 * @param options.deadlineMs from the request to stop until the exit. Defaults to 10,000.
 */
export async function runUntilSignal(
  main: (lifecycle: Lifecycle) => Promise<number | void>,
  options: {
    readonly logger: Logger;
    readonly deadlineMs?: number;
    readonly host?: ProcessHost;
  },
): Promise<void> {
  const { logger, deadlineMs = 10_000, host = process } = options;
  const abort = new AbortController();
  const closers: { name: string; close: () => Promise<void> | void }[] = [];
  let deadline: NodeJS.Timeout | undefined;
  const beginClosing = (): void => {
    deadline ??= setTimeout(() => {
      logger.error({ durationMs: deadlineMs }, 'closing took longer than its deadline');
      host.exit(exitCodes.closeFailed);
    }, deadlineMs);
  };
  const onSignal = (): void => {
    if (abort.signal.aborted) return host.exit(exitCodes.secondSignal);
    logger.info('asked to stop');
    beginClosing();
    abort.abort();
  };
  const onDefect = (error: unknown): void => {
    logger.fatal({ error }, 'defect: an error reached nobody');
    host.exit(exitCodes.defect);
  };
  const listeners = {
    SIGTERM: onSignal,
    SIGINT: onSignal,
    uncaughtException: onDefect,
    unhandledRejection: onDefect,
  };
  for (const [event, listener] of Object.entries(listeners)) host.on(event, listener);

  const stopRequested = new Promise<void>((resolve) => {
    abort.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  let exitCode: number;
  try {
    exitCode =
      (await main({
        signal: abort.signal,
        stopRequested,
        onClose: (name, close) => void closers.push({ name, close }),
      })) ?? 0;
  } catch (error) {
    if (error instanceof PipelineError && error.code === 'CONFIG_INVALID') {
      // A stack would say where we noticed it, which helps nobody.
      logger.fatal({ code: error.code, reason: error.message }, 'a setting is wrong');
      exitCode = exitCodes.configInvalid;
    } else {
      logger.fatal({ error }, 'stopped by an error');
      exitCode = exitCodes.defect;
    }
  }
  beginClosing();
  for (const { name, close } of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      logger.error({ component: name, error }, 'closing failed');
      exitCode ||= exitCodes.closeFailed;
    }
  }
  // A rejection that closing left behind must reach onDefect before its listener goes.
  await nextTurn();
  clearTimeout(deadline);
  // A signal that comes while the process ends must find a listener: without one it kills, and the exit code says nothing.
  host.exit(exitCode);
  for (const [event, listener] of Object.entries(listeners)) host.off(event, listener);
}
