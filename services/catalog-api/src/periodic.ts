import type { Logger } from '@outbound/service-kit';

/**
 * Does a piece of housekeeping every `intervalMs`, never twice at a time. A failure is logged and tried again at the next turn: housekeeping
 * must not end a service that answers.
 * @returns stop, which waits for a piece under way.
 */
export function startPeriodic(
  intervalMs: number,
  logger: Logger,
  component: string,
  work: () => Promise<void>,
): { readonly stop: () => Promise<void> } {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch((error: unknown) => logger.warn({ component, error }, 'housekeeping failed'))
      .finally(() => (running = undefined));
  }, intervalMs);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
