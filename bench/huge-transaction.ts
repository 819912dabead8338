import { TestPipeline } from '../test/support/test-pipeline.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { defaultEntities, loadOneTransaction, prepareBacklog } from './backlog.ts';
import { dropSlot } from './drain.ts';
import { benchRoutes, judge, type Judgement } from './judge.ts';
import { confirmed, measureRelay, type RelayUsage } from './relay-run.ts';

/** What a transaction of very many rows costs the relay. */
export interface HugeTransactionRun {
  readonly rows: number;
  /** From the broker's first append to its last. */
  readonly eventsPerSecond: number;
  /** From the start of the process to the last append, seconds; Postgres' own spooling is in it. */
  readonly wallSeconds: number;
  readonly usage: RelayUsage;
  readonly judgement: Judgement;
}

/** Commits one transaction of `rows` events and starts the relay on it: memory must not grow with the transaction (I9). */
export async function runHugeTransaction(
  stack: TestStack,
  { rows, payloadBytes }: { rows: number; payloadBytes: number },
): Promise<HugeTransactionRun> {
  await using pipeline = await TestPipeline.create(stack);
  await prepareBacklog(pipeline);
  const { sql, slot, topicPrefix } = pipeline;
  await sql.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await loadOneTransaction(pipeline, rows, { entities: defaultEntities, payloadBytes });
  const targetLsn = await pipeline.walEnd();
  const relay = await measureRelay(pipeline);
  await confirmed(pipeline, relay, { slot, targetLsn, timeoutMs: 1_800_000 });
  const usage = await relay.usage();
  await relay.stop();
  await dropSlot(pipeline, slot);
  const { judgement, firstAppendMs, lastAppendMs } = await judge(pipeline, {
    topicPrefix,
    routes: benchRoutes('all'),
  });
  return {
    rows,
    eventsPerSecond: (rows * 1000) / (lastAppendMs - firstAppendMs),
    wallSeconds: (lastAppendMs - relay.startedMs) / 1000,
    usage,
    judgement,
  };
}
