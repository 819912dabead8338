import { deadLetterTopics, declaredTopics, withTopicPrefix } from '@outbound/contract';
import { createLogger } from '@outbound/service-kit';
import { fileURLToPath } from 'node:url';
import { loadEventTypes } from '../services/relay/src/event-types-module.ts';
import { provisionTopics } from '../services/relay/src/kafka/topic-provision.ts';
import { TestPipeline } from '../test/support/test-pipeline.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { defaultEntities, loadTransactions, prepareBacklog } from './backlog.ts';
import { benchRoutes, judge, type Judgement } from './judge.ts';
import { readProcessorTime } from './machine.ts';
import { confirmed, measureRelay, type RelayUsage } from './relay-run.ts';
import { readWalsender, type WalsenderRun } from './walsender.ts';

/** One relay's drain of a backlog. */
export interface RelayDrain {
  readonly usage: RelayUsage;
  readonly judgement: Judgement;
  /** From the broker's first append to its last. */
  readonly eventsPerSecond: number;
  readonly recordsPerSecond: number;
  /** From the start of the process to the first append and to the last, seconds. */
  readonly startSeconds: number;
  readonly wallSeconds: number;
  /** Cores that the host took from this machine meanwhile, of all its cores. */
  readonly stolenCores: number;
  /** Cores that neither relay nor walsender nor broker used: near 0, or the machine had other work. */
  readonly otherCores: number;
}

/** One round: a backlog of its own, read by everybody from copies of one slot. */
export interface DrainRound {
  readonly walsender: WalsenderRun;
  /** As declared: two topics. */
  readonly relay: RelayDrain;
  /** The same events with one route. */
  readonly oneRoute: RelayDrain;
}

export interface DrainOptions {
  readonly events: number;
  readonly payloadBytes: number;
  readonly profile?: string | undefined;
}

const oneRoutePrefix = 'one.';
const oneRouteModule = fileURLToPath(new URL('./one-route.js', import.meta.url));
const timeoutMs = 600_000;

/**
 * Makes a backlog and lets each contender drain it from its own copy of the slot. Whose turn is first changes with `round`, so that
 * a slow minute of the host does not always meet the same one.
 */
export async function runDrainRound(
  stack: TestStack,
  round: number,
  options: DrainOptions,
): Promise<DrainRound> {
  await using pipeline = await TestPipeline.create(stack);
  await prepareBacklog(pipeline);
  await provisionUnder(pipeline, oneRoutePrefixOf(pipeline), oneRouteModule);
  const { sql, slot } = pipeline;
  const slots = { relay: slot, oneRoute: `${slot}_one`, walsender: `${slot}_bare` };
  await sql.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await loadTransactions(pipeline, options.events, {
    entities: defaultEntities,
    payloadBytes: options.payloadBytes,
  });
  const targetLsn = await pipeline.walEnd();
  for (const copy of [slots.oneRoute, slots.walsender])
    await sql.query('select pg_copy_logical_replication_slot($1, $2)', [slot, copy]);

  let walsender: WalsenderRun | undefined;
  let relay: RelayDrain | undefined;
  let oneRoute: RelayDrain | undefined;
  const turns = [
    async () => {
      walsender = await readWalsender({
        databaseUrl: pipeline.databaseUrl,
        slot: slots.walsender,
        publication: 'outbound',
        inserts: options.events,
      });
    },
    async () => {
      relay = await drain(pipeline, options, {
        slot: slots.relay,
        targetLsn,
        topicPrefix: pipeline.topicPrefix,
        env: {},
        routes: 'all',
      });
    },
    async () => {
      oneRoute = await drain(pipeline, options, {
        slot: slots.oneRoute,
        targetLsn,
        topicPrefix: oneRoutePrefixOf(pipeline),
        env: {
          RELAY_EVENT_TYPES: oneRouteModule,
          RELAY_TOPIC_PREFIX: oneRoutePrefixOf(pipeline),
        },
        routes: 1,
      });
    },
  ];
  for (let turn = 0; turn < turns.length; turn += 1) await turns[(turn + round) % turns.length]?.();
  for (const copy of Object.values(slots)) await dropSlot(pipeline, copy);
  if (!walsender || !relay || !oneRoute) throw new Error('a contender had no turn');
  return { walsender, relay, oneRoute };
}

/** Who drains: from which slot and up to where, to which topics, with which settings. */
export interface Contender {
  readonly slot: string;
  readonly targetLsn: string;
  readonly topicPrefix: string;
  readonly env: Readonly<Record<string, string>>;
  readonly routes: 'all' | 1;
}

/** Lets one relay drain a backlog, and judges what it has published. */
export async function drain(
  pipeline: TestPipeline,
  { events, profile }: DrainOptions,
  { slot, targetLsn, topicPrefix, env, routes }: Contender,
): Promise<RelayDrain> {
  const before = await readProcessorTime();
  const relay = await measureRelay(pipeline, { slot, env, profile });
  await confirmed(pipeline, relay, { slot, targetLsn, timeoutMs });
  const usage = await relay.usage();
  const endedMs = Date.now();
  const after = await readProcessorTime();
  await relay.stop();
  const { judgement, firstAppendMs, lastAppendMs } = await judge(pipeline, {
    topicPrefix,
    routes: benchRoutes(routes),
  });
  const seconds = (lastAppendMs - firstAppendMs) / 1000;
  const elapsedSeconds = (endedMs - relay.startedMs) / 1000;
  const ours = usage.relay.cpuSeconds + usage.walsenderCpuSeconds + usage.brokerCpuSeconds;
  return {
    usage,
    judgement,
    eventsPerSecond: events / seconds,
    recordsPerSecond: judgement.records / seconds,
    startSeconds: (firstAppendMs - relay.startedMs) / 1000,
    wallSeconds: (lastAppendMs - relay.startedMs) / 1000,
    stolenCores: (after.steal - before.steal) / elapsedSeconds,
    otherCores: Math.max(0, after.busy - before.busy - ours) / elapsedSeconds,
  };
}

const oneRoutePrefixOf = ({ topicPrefix }: TestPipeline): string =>
  `${topicPrefix}${oneRoutePrefix}`;

/** Makes the topics of a contender that publishes under a prefix of its own; `module` as RELAY_EVENT_TYPES. */
export async function provisionUnder(
  pipeline: TestPipeline,
  prefix: string,
  module?: string,
): Promise<void> {
  const eventTypes = withTopicPrefix(await loadEventTypes(module), prefix);
  const { deadLetters, parkedKeys } = deadLetterTopics(prefix);
  await provisionTopics(
    {
      brokers: pipeline.stack.kafka.directBootstrap,
      clientId: 'bench',
      tls: undefined,
      sasl: undefined,
      connectTimeoutMs: 10_000,
      silenceLimitMs: 30_000,
    },
    [...declaredTopics(eventTypes.values()), deadLetters, parkedKeys],
    createLogger({ service: 'bench', level: 'error' }),
  );
}

/** A slot that stays would keep the log of every later round. The server may still be letting go of its reader. */
export async function dropSlot({ sql }: TestPipeline, slot: string): Promise<void> {
  await sql.query(
    `do $$ begin
       for attempt in 1..200 loop
         exit when not exists (select from pg_replication_slots where slot_name = '${slot}' and active);
         perform pg_sleep(0.05);
       end loop;
       perform pg_drop_replication_slot('${slot}');
     end $$`,
  );
}
