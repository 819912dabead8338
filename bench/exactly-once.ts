import { TestPipeline } from '../test/support/test-pipeline.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { defaultEntities, loadTransactions, prepareBacklog } from './backlog.ts';
import { drain, dropSlot, provisionUnder, type RelayDrain } from './drain.ts';
import { runLatency, type LatencyRun } from './latency.ts';

/** The default way of delivery beside `RELAY_DELIVERY=exactly-once`, in one run of the machine. */
export interface ExactlyOnceRun {
  /** Of each round, whose backlog both have drained. */
  readonly drains: readonly { readonly plain: RelayDrain; readonly exact: RelayDrain }[];
  readonly plain: LatencyRun;
  readonly exact: LatencyRun;
}

export interface ExactlyOnceOptions {
  readonly events: number;
  readonly runs: number;
  readonly payloadBytes: number;
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly say: (what: string) => void;
}

const exactly = { RELAY_DELIVERY: 'exactly-once' };

/** What transactions cost: events a second from a backlog, and the latency to a read-committed consumer. */
export async function runExactlyOnce(
  stack: TestStack,
  options: ExactlyOnceOptions,
): Promise<ExactlyOnceRun> {
  const { runs, payloadBytes, ratePerSecond, seconds, say } = options;
  const drains: { plain: RelayDrain; exact: RelayDrain }[] = [];
  for (let round = 0; round < runs; round += 1) {
    say(`drain in both ways, ${round + 1} of ${runs}`);
    drains.push(await drainBothWays(stack, round, options));
  }
  const latency = async (env: Readonly<Record<string, string>>): Promise<LatencyRun> =>
    runLatency(stack, { ratePerSecond, seconds, payloadBytes, env });
  say('latency, at least once');
  const plain = await latency({});
  say('latency, exactly once');
  return { drains, plain, exact: await latency(exactly) };
}

async function drainBothWays(
  stack: TestStack,
  round: number,
  { events, payloadBytes }: ExactlyOnceOptions,
): Promise<{ plain: RelayDrain; exact: RelayDrain }> {
  await using pipeline = await TestPipeline.create(stack);
  await prepareBacklog(pipeline);
  const { sql, slot, topicPrefix } = pipeline;
  const exactPrefix = `${topicPrefix}exact.`;
  await provisionUnder(pipeline, exactPrefix);
  await sql.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await loadTransactions(pipeline, events, { entities: defaultEntities, payloadBytes });
  const targetLsn = await pipeline.walEnd();
  const exactSlot = `${slot}_exact`;
  await sql.query('select pg_copy_logical_replication_slot($1, $2)', [slot, exactSlot]);
  const of = { events, payloadBytes };
  const done: { plain?: RelayDrain; exact?: RelayDrain } = {};
  const turns = [
    async () => {
      const to = { slot, targetLsn, topicPrefix, env: {}, routes: 'all' } as const;
      done.plain = await drain(pipeline, of, to);
    },
    async () => {
      const env = { ...exactly, RELAY_TOPIC_PREFIX: exactPrefix };
      const to = {
        slot: exactSlot,
        targetLsn,
        topicPrefix: exactPrefix,
        env,
        routes: 'all',
      } as const;
      done.exact = await drain(pipeline, of, to);
    },
  ];
  for (let turn = 0; turn < turns.length; turn += 1) await turns[(turn + round) % turns.length]?.();
  for (const each of [slot, exactSlot]) await dropSlot(pipeline, each);
  if (!done.plain || !done.exact) throw new Error('a contender had no turn');
  return { plain: done.plain, exact: done.exact };
}
