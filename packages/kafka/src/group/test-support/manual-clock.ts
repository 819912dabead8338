import type { Clock } from '@outbound/service-kit';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that only a test moves; every promise that can go on has gone on before and after each timer. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: Timer[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        this.cancel(timer);
        resolve();
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  after(ms: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), run };
    this.#timers.push(timer);
    return timer;
  }

  cancel(timer: Timer | undefined): void {
    this.#timers = this.#timers.filter((one) => one !== timer);
  }

  /** Lets `ms` pass, timer by timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const next = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .reduce<Timer | undefined>((a, b) => (a && a.atMs <= b.atMs ? a : b), undefined);
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.cancel(next);
      next.run();
    }
    this.#nowMs = endMs;
    await settle();
  }

  /** A process that is stopped and woken: the time is another one, and no timer has run yet. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1)
    await new Promise<void>((resolve) => setImmediate(resolve));
}
