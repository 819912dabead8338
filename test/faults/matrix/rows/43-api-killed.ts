import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createProduct } from '../../../support/api-load.ts';
import { eventually } from '../../../support/eventually.ts';
import { startFaultProxy } from '../../../support/fault-proxy.ts';
import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { urlAs } from '../../../support/test-stack.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged, judgedHistory } from '../judged.ts';

/** COMMIT waits for a lock that the row holds, so that a kill can be put before, within or behind it. */
const commitWaits = `
  create function wait_at_commit() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;
  create constraint trigger wait_at_commit after insert on product deferrable initially deferred
    for each row execute function wait_at_commit();`;
const moments = ['any', 'within-commit', 'after-commit'] as const;

export const row: FaultRow = {
  number: 43,
  fault: 'API kill -9 mid request; the client tries again with its Idempotency-Key',
  expected: 'exactly one row and one event',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack, say }) => {
    const servers = await stack();
    await using pipeline = await TestPipeline.create(servers);
    await pipeline.sql.query(commitWaits);
    await pipeline.startRelay();
    const direct = new URL(urlAs(pipeline.databaseUrl, 'outbound_api'));
    await using proxy = await startFaultProxy({ port: Number(direct.port) });
    const proxied = new URL(direct);
    proxied.host = `${proxy.host}:${proxy.port}`;
    const rows = async (sku: string) => {
      const found = await pipeline.sql.query<{ products: number; events: number }>(
        `select (select count(*)::int from product where sku = $1) as products,
           (select count(*)::int from outbox where payload::json->'data'->>'sku' = $1) as events`,
        [sku],
      );
      return found.rows[0] ?? { products: -1, events: -1 };
    };
    const commits = { done: 0, undone: 0 };
    const wrong: string[] = [];
    const kills = 8;
    for (let round = 0; round < kills; round += 1) {
      const sku = `killed-${round}`;
      const key = randomUUID();
      const moment = chance.pick(moments);
      const { api, url } = await pipeline.startApi({ CATALOG_API_DATABASE_URL: proxied.href });
      if (moment !== 'any') await pipeline.sql.query('select pg_advisory_lock(4711)');
      const asked = createProduct(url, sku, { key });
      if (moment === 'any') await delay(chance.between(0, 30));
      else {
        await eventually(() => isCommitting(pipeline), { timeoutMs: 20_000, intervalMs: 5 });
        if (moment === 'after-commit') {
          // The server commits, and its answer is lost on the way.
          proxy.set({ mode: 'blackhole', direction: 'down' });
          await pipeline.sql.query('select pg_advisory_unlock(4711)');
          await eventually(async () => (await rows(sku)).products === 1);
          await eventually(() => proxy.counts.dropped.down > 0);
        }
      }
      await api.kill();
      const answer = await asked;
      if (moment === 'after-commit') proxy.heal();
      if (moment === 'within-commit') await pipeline.sql.query('select pg_advisory_unlock(4711)');
      // The backend of a client that is gone may still be at work.
      await eventually(async () => !(await isBusy(pipeline)), { timeoutMs: 20_000 });
      const left = await rows(sku);
      if (left.products !== left.events)
        wrong.push(
          `${sku} ${moment}: ${left.products} rows, ${left.events} events before the retry`,
        );
      if (left.products === 1 && answer !== 201) commits.done += 1;
      else commits.undone += 1;
      const next = await pipeline.startApi();
      const again = await createProduct(next.url, sku, { key });
      const third = await createProduct(next.url, sku, { key });
      await next.api.terminate();
      const { products, events } = await rows(sku);
      if (again !== 201 || third !== 201 || products !== 1 || events !== 1)
        wrong.push(
          `${sku} ${moment}: ${again} and ${third}, ${products} rows and ${events} events`,
        );
    }
    say(`${commits.done} commits without an answer, ${commits.undone} others`);
    if (commits.done === 0) throw new Error('no kill fell between a commit and its answer');
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    return {
      bit: `${kills} kills mid request, ${commits.done} of them after a commit whose answer was lost, ${proxy.counts.dropped.down.toLocaleString('en')} bytes dropped`,
      judged: [
        ...judgedHistory(verdict, ['I1', 'I2', 'I7']),
        judged(
          'I10',
          wrong.length === 0,
          wrong[0] ?? `${kills} requests, each one row and one event after its retry`,
        ),
      ],
      figures: { committed: commits.done },
    };
  },
};

/** Whether a connection of the API waits in its COMMIT. */
async function isCommitting({ sql }: TestPipeline): Promise<boolean> {
  const { rowCount } = await sql.query(
    `select from pg_stat_activity where application_name = 'catalog-api' and datname = current_database()
       and wait_event_type = 'Lock' and wait_event = 'advisory'`,
  );
  return rowCount === 1;
}

/** Whether a backend of the API is still at work. */
async function isBusy({ sql }: TestPipeline): Promise<boolean> {
  const { rowCount } = await sql.query(
    `select from pg_stat_activity where application_name = 'catalog-api' and datname = current_database() and state <> 'idle'`,
  );
  return (rowCount ?? 0) > 0;
}
