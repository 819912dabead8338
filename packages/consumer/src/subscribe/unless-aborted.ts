/**
 * What `running` comes to, or undefined as soon as the signal aborts. Then nobody is told what becomes of it, a rejection
 * included.
 */
export async function unlessAborted<Result>(
  running: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | undefined> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => resolve(undefined);
    const over = (): void => signal.removeEventListener('abort', giveUp);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    running.then(resolve, reject).finally(over).catch(reject);
  });
}
