import { createDatabase, type StoredAggregate } from '@outbound/outbox';
import { withTopicPrefix, type Route } from '@outbound/contract';
import type pg from 'pg';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit-codes.ts';
import { silentLog } from '../kafka/silent-log.ts';
import { TableSide } from './table-side.ts';
import { readTopicOn } from './topic-side.ts';
import { verifyAggregate, type Verification } from './verify-aggregate.ts';
import { passWatermark } from './watermark.ts';

/** What to compare, and how long to wait. */
export interface VerifyPlan {
  readonly aggregates: readonly StoredAggregate[];
  readonly maxIds: number;
  /** How long each watermark is waited for. */
  readonly patienceMs: number;
  readonly maxRounds: number;
}

/**
 * Compares every aggregate of the plan, one after the other, each over a connection of its own, and hands each
 * verification out before the next begins:
 * one index is in memory at a time, if the taker lets go.
 * @throws CliError DATABASE_UNAVAILABLE, KAFKA_UNAVAILABLE (exit 5), TOPIC_MISSING (exit 2), TOPIC_CHANGED,
 * ROW_UNREADABLE
 */
export async function runVerify(
  context: CliContext,
  plan: VerifyPlan,
  onVerified: (aggregate: StoredAggregate, verification: Verification) => void | Promise<void>,
): Promise<void> {
  const pool = await context.database();
  createDatabase(pool);
  const connection = context.kafka();
  for (const aggregate of plan.aggregates) {
    const route = stateRouteOf(aggregate, context.settings.topicPrefix);
    const source = { connection, topic: route.topic, signal: context.signal, log: silentLog };
    const verification = await onOneConnection(pool, (client) => {
      const table = new TableSide(client, aggregate, context.signal);
      return verifyAggregate(
        {
          aggregate: aggregate.name,
          topic: route.topic,
          partitions: route.partitions,
          maxIds: plan.maxIds,
          maxRounds: plan.maxRounds,
        },
        {
          readTopic: (view) => readTopicOn(view, source),
          scanRows: (onRows) => table.scan(onRows),
          readRows: (ids) => table.read(ids),
          outboxHashes: (versions) => table.outboxHashes(versions),
          passWatermark: () =>
            passWatermark(client, {
              slot: context.settings.slot,
              patienceMs: plan.patienceMs,
              signal: context.signal,
              onWait: (bytes) =>
                context.output.note(
                  `${aggregate.name}: waiting for the relay, ${bytes} bytes of log behind`,
                ),
            }),
        },
      );
    });
    await onVerified(aggregate, verification);
  }
}

/** The compacted topic of an aggregate, with the prefix. @throws CliError NOT_COMPACTED */
export function stateRouteOf(aggregate: StoredAggregate, topicPrefix: string): Route {
  const { eventType } = aggregate;
  const routes = withTopicPrefix(new Map([[eventType.name, eventType]]), topicPrefix).get(
    eventType.name,
  )?.routes;
  const route = routes?.find(({ cleanupPolicy }) => cleanupPolicy === 'compact');
  if (!route)
    throw new CliError(
      'NOT_COMPACTED',
      `event type ${eventType.name} goes to no compacted topic, so there is no state to compare ${aggregate.name} with`,
      { exitCode: exitCodes.usage },
    );
  return route;
}

/** A crash of the server ends the connection, and with it the work. */
async function onOneConnection<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw databaseUnavailable(cause);
  });
  let lost: Error | undefined;
  const note = (error: Error): void => void (lost = error);
  client.on('error', note);
  try {
    return await work(client);
  } catch (thrown) {
    throw lost === undefined ? thrown : databaseUnavailable(lost);
  } finally {
    client.off('error', note);
    client.release(lost);
  }
}

function databaseUnavailable(cause: unknown): CliError {
  return new CliError(
    'DATABASE_UNAVAILABLE',
    `the connection to the database was lost (${cause instanceof Error ? cause.message : String(cause)}), so nothing can be said: verify again`,
    { exitCode: exitCodes.unavailable, cause },
  );
}
