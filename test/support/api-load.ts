import { setTimeout as delay } from 'node:timers/promises';

/** Creates products through the API, one after the other, until it is stopped, and keeps what was answered. */
export class ApiLoad {
  /** How often each status was answered; 0 stands for a connection that gave no answer. */
  readonly answers = new Map<number, number>();
  /** The SKUs whose creation was confirmed with 201. */
  readonly created: string[] = [];
  readonly #running: Promise<void>[];
  #isStopped = false;

  constructor(
    url: string,
    { name, writers = 1, pauseMs = 20 }: { name: string; writers?: number; pauseMs?: number },
  ) {
    this.#running = Array.from({ length: writers }, (_, writer) =>
      this.#write(url, `${name}-${writer}`, pauseMs),
    );
  }

  /** How often something other than 201 was answered. */
  get refused(): number {
    return [...this.answers].reduce((sum, [status, n]) => sum + (status === 201 ? 0 : n), 0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #write(url: string, name: string, pauseMs: number): Promise<void> {
    for (let n = 0; !this.#isStopped; n += 1) {
      const sku = `${name}-${n}`;
      const status = await createProduct(url, sku);
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      if (status === 201) this.created.push(sku);
      await delay(pauseMs);
    }
  }
}

/** Asks the API for a product. @returns the status, 0 where there was no answer. */
export async function createProduct(
  url: string,
  sku: string,
  { key, timeoutMs = 30_000 }: { key?: string; timeoutMs?: number } = {},
): Promise<number> {
  try {
    const response = await fetch(`${url}/products`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify({ sku, name: 'made under faults' }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
