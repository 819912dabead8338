import { setTimeout as delay } from 'node:timers/promises';
import { createProduct } from '../../../support/api-load.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { inFlightRecords, morePublished, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 12,
  fault: 'Postgres stands still with every backend (SIGSTOP) for 20 to 90 s',
  expected: 'the relay gives its connection up and comes back; the API answers 503 meanwhile',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    const stack = await round.stack();
    return underLoad(stack, { allowedDuplicates: inFlightRecords }, async ({ pipeline, relay }) => {
      const { url } = await pipeline.startApi();
      await createProduct(url, `before-${round.seed}`);
      await morePublished(relay, round.chance.int(1, 300));
      const seconds = round.chance.between(20, 90);
      await stack.postgres.pause();
      const beganMs = performance.now();
      const statuses: number[] = [];
      let slowestMs = 0;
      let ready = '';
      try {
        while (performance.now() - beganMs < seconds * 1000) {
          const askedMs = performance.now();
          statuses.push(await createProduct(url, `during-${round.seed}-${statuses.length}`));
          slowestMs = Math.max(slowestMs, performance.now() - askedMs);
          ready = (await relay.ready()).status;
          await delay(200);
        }
      } finally {
        await stack.postgres.resume();
      }
      const noticed = relay.logs.some(
        ({ message }) => message === 'the session failed and starts again',
      );
      await relay.reached('streaming', { times: 2, timeoutMs: 60_000 });
      const after = await createProduct(url, `after-${round.seed}`);
      const others = statuses.filter((status) => status !== 503);
      return {
        bit: `Postgres stood still for ${seconds.toFixed(0)} s`,
        judged: [
          judged(
            'I8',
            noticed && after === 201,
            `the relay gave up and streams again; the API answers ${after}`,
          ),
          judged(
            'I10',
            others.length === 0 && slowestMs < 30_000,
            `${statuses.length} requests, ${others.length} not answered by 503 (${[...new Set(others)].join(', ')}), the slowest after ${(slowestMs / 1000).toFixed(1)} s`,
          ),
          judged('I11', ready === 'not ready', `readiness said "${ready}" at the end`),
        ],
      };
    });
  },
};
