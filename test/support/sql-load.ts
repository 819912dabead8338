import type pg from 'pg';
import type { TestPipeline } from './test-pipeline.ts';

/**
 * Commits events without a pause until it is stopped, one transaction each, over `entities` entities per writer. Writers reconnect after a server's end, as an API does:
 * what a broken connection leaves unknown is in the outbox or is not, and the outbox is what is judged.
 */
export class SqlLoad {
  #isStopped = false;
  readonly #writers: Promise<void>[];
  #count = 0;

  constructor(
    pipeline: TestPipeline,
    {
      writers = 4,
      entities = 10,
      pauseMs = 0,
    }: { writers?: number; entities?: number; pauseMs?: number } = {},
  ) {
    this.#writers = Array.from({ length: writers }, (_, index) =>
      this.#write(pipeline, index, entities, pauseMs),
    );
  }

  /** Events whose commit was confirmed to a writer. */
  get count(): number {
    return this.#count;
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await Promise.all(this.#writers);
    return this.#count;
  }

  async #write(
    pipeline: TestPipeline,
    index: number,
    entities: number,
    pauseMs: number,
  ): Promise<void> {
    let client: pg.Client | undefined;
    for (let n = 0; !this.#isStopped; n += 1) {
      try {
        client ??= await pipeline.connect();
        await client.query('select write_event($1, $2, 40)', [
          `entity-${index}-${n % entities}`,
          n % 17 === 16 ? 'D' : 'U',
        ]);
        this.#count += 1;
        if (pauseMs > 0) await pause(pauseMs);
      } catch {
        await client?.end().catch(() => undefined);
        client = undefined;
        await pause(50);
      }
    }
    await client?.end();
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
