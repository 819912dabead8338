/** Something that a loop waits for: `signal` aborts at the next `wake`, and a new one stands there after it. */
export class Wake {
  #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  wake(): void {
    const woken = this.#controller;
    this.#controller = new AbortController();
    woken.abort();
  }
}

/** What the promise comes to, or undefined as soon as the signal aborts; then nobody hears what becomes of it. */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | undefined> {
  let stop = (): void => undefined;
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  try {
    return await Promise.race([stopped, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
