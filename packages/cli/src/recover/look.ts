import { topics } from '@outbound/contract';
import { sourceFingerprint } from '@outbound/service-kit';
import type pg from 'pg';
import type { CliContext } from '../context.ts';
import type { CountsAt, WaitingKey } from '../dead-letters/waiting-keys.ts';
import { CliError, exitCodes } from '../exit-codes.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { countBacklog, noteSeen, prepareBacklog, type Backlog } from './backlog.ts';
import { noteGivenUp, readDiscards } from './given-up-letters.ts';
import { readPublished } from './published-events.ts';
import { storedHere, type Uncovered } from './uncovered.ts';
import { noteWaiting, ofThisLog, readLetters } from './waiting-events.ts';

/** What there is to recover. */
export interface Seen {
  readonly backlog: Backlog;
  readonly uncovered: readonly Uncovered[];
  readonly recordCount: number;
  readonly waiting: readonly WaitingKey[];
}

/** Reads only: what the topics have, and what they do not have. */
export async function look(context: CliContext, session: pg.PoolClient): Promise<Seen> {
  const registry = await context.eventTypes();
  await prepareBacklog(session, registry);
  const { rows } = await session.query<{ oldest: Date | null }>(
    'select min(created_at) as oldest from outbox',
  );
  const oldest = rows[0]?.oldest ?? new Date();
  const connection = context.kafka();
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  context.output.note(
    `reading the topics since ${oldest.toISOString()}, the oldest retained event`,
  );
  const published = await readPublished({
    connection,
    admin,
    topics: topics(registry).map(({ topic }) => topic),
    since: oldest,
    signal: context.signal,
    onSeen: (topic, eids) => noteSeen(session, topic, eids),
  });
  const letters = await readLetters(
    { connection, admin, signal: context.signal },
    context.settings,
    await readDiscards(session),
    await decisionsOfThisLog(session, context.settings.slot),
  );
  const { waiting } = letters;
  await noteWaiting(session, waiting);
  await noteGivenUp(session, letters.givenUp);
  stopIfAsked(context);
  const backlog = await countBacklog(session);
  const uncovered = (await storedHere(session, registry)).map((aggregate): Uncovered => {
    const routes = registry.get(aggregate.eventType.name)?.routes ?? [];
    const newestMs = Math.max(0, ...routes.map(({ topic }) => published.newestMs.get(topic) ?? 0));
    // What was in flight when something was published last may be older than it: an hour is far more than a transaction
    // takes.
    const sinceMs = Math.min(oldest.getTime(), Math.max(0, newestMs - 3_600_000));
    return { aggregate, since: new Date(sinceMs) };
  });
  return { backlog, uncovered, recordCount: published.recordCount, waiting };
}

/** Asked while no relay reads the slot, so nothing is decided behind this end. */
async function decisionsOfThisLog(session: pg.PoolClient, slot: string): Promise<CountsAt> {
  const { rows } = await session.query<{ server: string; database: string; end: string }>(
    'select system_identifier::text as server, current_database()::text as database, pg_current_wal_lsn()::text as end from pg_control_system()',
  );
  const { server = '', database = '', end = '' } = rows[0] ?? {};
  return ofThisLog(sourceFingerprint({ systemIdentifier: server, database, slot }), end);
}

function stopIfAsked({ signal }: CliContext): void {
  if (signal.aborted)
    throw new CliError('INTERRUPTED', 'interrupted; nothing was changed', {
      exitCode: exitCodes.interrupted,
    });
}
