import { setTimeout as delay } from 'node:timers/promises';
import { openRecordSender } from '@outbound/kafka';
import { partitionOf, withTopicPrefix } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import type pg from 'pg';
import { paceText } from '../backfill/pace.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { kafkaCliError } from '../kafka/kafka-cli-error.ts';
import { silentLog } from '../kafka/silent-log.ts';
import { topicNamed } from '../kafka/topic-name.ts';
import { recorded, type Operation } from '../operations/operation.ts';
import { eventFilter, type EventFilterOptions } from './event-filter.ts';
import { replayRecord, type ReplayRecord } from './replay-record.ts';
import { RetainedEvents, type TypeCount } from './retained-events.ts';

export interface ReplayEventsOptions extends EventFilterOptions {
  readonly toTopic: string;
  /** Seconds to wait for the relay, where the target is its own topic. */
  readonly wait: string;
  readonly yes?: boolean;
}

const portion = 400;
const noteEveryMs = 2000;

/**
 * `outbound replay events`: publishes retained events once more, marked as replays, to a side topic or to a topic with
 * every change.
 *
 * **Never to a compacted topic**: its last record per key is the state, and whoever puts an event there has to know
 * that no newer one is there or on its way. Only the
 * relay knows; a backfill says the current state through it.
 *
 * **Only what the relay has published**, where the target is its own topic: otherwise a version would be seen there
 * before a lower one that is still on its way (I3).
 */
export async function replayEvents(
  context: CliContext,
  options: ReplayEventsOptions,
): Promise<ExitCode> {
  const filter = eventFilter(options);
  const topic = topicNamed(options.toTopic, eventTypes, context.settings.topicPrefix);
  const connection = context.kafka();
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  await refuseCompacted(admin, topic);
  const pool = await context.database();
  const client = await pool.connect();
  // A broken connection fails the next statement, which says so.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  try {
    const retained = await RetainedEvents.open(client, filter);
    const counts = await retained.count();
    const isOwn = refuseForeign(context, topic, counts);
    const total = counts.reduce((sum, { events }) => sum + events, 0);
    context.output.note(
      total === 0
        ? 'no retained event matches'
        : `${counts.map(({ type, events, entities }) => `${events} events of ${entities} entities (${type})`).join(', ')} will be published again to ${topic}, marked with replay: true`,
    );
    if (total > 0) {
      if (isOwn) await untilPublished(context, pool, retained.walLsn, Number(options.wait) * 1000);
      await context.confirm(`Publish ${total} events again?`, { yes: options.yes === true });
    }
    const parameters = {
      what: 'events',
      topic,
      keys: filter.keys?.join(',').slice(0, 1000) ?? null,
      from: filter.from?.toISOString() ?? null,
      to: filter.to?.toISOString() ?? null,
      eventType: filter.eventType,
    };
    return await recorded(pool, { verb: 'replay', parameters }, async (operation) => {
      const published = await publish(
        context,
        operation,
        retained,
        total,
        await senderTo(context, topic),
      );
      context.output.answer(
        { operation: operation.id, topic, published },
        `${published} events were published again to ${topic}`,
      );
      return exitCodes.done;
    });
  } finally {
    client.release(true);
    client.off('error', ignore);
  }
}

type Send = (records: readonly ReplayRecord[]) => Promise<void>;

/** Not the relay's way into Kafka, and not fenced: for what a person sends by hand. */
async function senderTo(context: CliContext, topic: string): Promise<Send> {
  const connection = context.kafka();
  const ask = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await question();
    } catch (thrown) {
      throw kafkaCliError(thrown, `sending to ${topic}`, connection.brokers);
    }
  };
  const sender = await ask(() =>
    openRecordSender({ connection, topic, partitionOf, log: silentLog }),
  );
  context.onClose(() => sender.close());
  return (records) =>
    ask(() =>
      sender.send(
        records.map(({ key, value, headers }) => ({
          key,
          headers,
          value: Buffer.from(value),
          timestampMs: Date.now(),
        })),
      ),
    );
}

async function publish(
  { output, signal }: CliContext,
  operation: Operation,
  retained: RetainedEvents,
  total: number,
  send: Send,
): Promise<number> {
  const replayedAt = new Date();
  const startedMs = performance.now();
  let notedMs = startedMs;
  let done = 0;
  for await (const events of retained.portions(portion)) {
    if (signal.aborted)
      throw new CliError('INTERRUPTED', `interrupted after ${done} of ${total} events`, {
        exitCode: exitCodes.interrupted,
      });
    await send(
      events.map((event) => {
        const eventType = eventTypes.get(event.type);
        if (eventType) return replayRecord(event, eventType, replayedAt);
        throw unknownType(event.type);
      }),
    );
    done += events.length;
    await operation.progress({ done, total });
    if (performance.now() - notedMs < noteEveryMs) continue;
    notedMs = performance.now();
    output.note(paceText({ done, total, elapsedMs: notedMs - startedMs }));
  }
  return done;
}

async function refuseCompacted(admin: KafkaAdmin, topic: string): Promise<void> {
  const policy = (await admin.topicConfig(topic, ['cleanup.policy'])).get('cleanup.policy');
  if (policy === 'delete') return;
  throw new CliError(
    'TOPIC_COMPACTED',
    `${topic} is compacted (cleanup.policy ${policy ?? 'unknown'}): an old version there would become the state; outbound backfill emits the current state through the relay, and a replay can go to a side topic`,
    { exitCode: exitCodes.usage },
  );
}

/**
 * True if the topic is one that the relay writes.
 * @throws CliError TOPIC_FOREIGN if it is, and is not for all of these events; EVENT_TYPE_UNKNOWN if one of them is not
 * declared here.
 */
function refuseForeign(
  { settings }: CliContext,
  topic: string,
  counts: readonly TypeCount[],
): boolean {
  const unknown = counts.find(({ type }) => !eventTypes.has(type));
  if (unknown) throw unknownType(unknown.type);
  const routed = [...withTopicPrefix(eventTypes, settings.topicPrefix).values()]
    .filter(({ routes }) => routes.some((route) => route.topic === topic))
    .map(({ name }) => name);
  if (routed.length === 0) return false;
  const foreign = counts.filter(({ type }) => !routed.includes(type));
  if (foreign.length === 0) return true;
  throw new CliError(
    'TOPIC_FOREIGN',
    `${topic} is for ${routed.join(', ')}, and the events are of ${foreign.map(({ type }) => type).join(', ')}: narrow them with --event-type, or take a side topic`,
    { exitCode: exitCodes.usage },
  );
}

/**
 * Waits until the relay has published everything up to the position. @throws CliError RELAY_BEHIND if it has not within
 * `waitMs`.
 */
async function untilPublished(
  { settings, signal }: CliContext,
  pool: pg.Pool,
  walLsn: string,
  waitMs: number,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const { rows } = await pool.query<{ behind: string | null }>(
      `select ($2::pg_lsn - confirmed_flush_lsn)::text as behind from pg_replication_slots where slot_name = $1`,
      [settings.slot, walLsn],
    );
    const behind = rows[0]?.behind;
    if (behind !== undefined && behind !== null && Number(behind) <= 0) return;
    if (signal.aborted || performance.now() > deadline)
      throw new CliError(
        'RELAY_BEHIND',
        `the relay has not published everything that would be replayed (slot "${settings.slot}" ${behind === undefined ? 'does not exist' : `is ${behind ?? 'unknown'} bytes behind`}); in its own topic a later version would come before an earlier one: start the relay and wait, or take a side topic`,
        { exitCode: signal.aborted ? exitCodes.interrupted : exitCodes.failed },
      );
    await delay(200, undefined, { signal }).catch(() => undefined);
  }
}

function unknownType(type: string): CliError {
  return new CliError(
    'EVENT_TYPE_UNKNOWN',
    `there are events of type ${type}, which this outbound does not know: use the outbound of the relay's release, or choose others with --event-type`,
  );
}
