import type { Clock } from '@outbound/service-kit';

/** How long work that was asked to stop may take to clean up behind itself. */
const graceMs = 3000;

/**
 * The outcome of work that may take long (a connection to a host that does not answer, a slot that waits for a transaction), or undefined if the signal
 * aborts and no outcome comes soon after: a stop must not wait for it. What comes later is handed to `discard`.
 * Rejects as the work does, if it does in time.
 */
export async function unlessStopped<Outcome>(
  work: Promise<Outcome>,
  signal: AbortSignal,
  clock: Clock,
  discard: (late: Outcome) => Promise<void>,
): Promise<Outcome | undefined> {
  const settled = new AbortController();
  let isLate = false;
  const stopped = new Promise<undefined>((resolve) => {
    const onAbort = (): void => {
      // `sleep` never rejects.
      clock.sleep(graceMs, settled.signal).then(
        () => {
          isLate = !settled.signal.aborted;
          resolve(undefined);
        },
        () => undefined,
      );
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true, signal: settled.signal });
  });
  const watched = work.then(
    async (outcome) => {
      if (isLate) await discard(outcome);
      return outcome;
    },
    (thrown: unknown) => {
      if (!isLate) throw thrown;
      return undefined;
    },
  );
  try {
    return await Promise.race([watched, stopped]);
  } finally {
    settled.abort();
  }
}
