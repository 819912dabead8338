import { createDatabase, type Database } from '@outbound/outbox';
import type pg from 'pg';
import { durationText } from '../backfill/pace.ts';
import type { CliContext } from '../context.ts';
import type { WaitingKey } from '../dead-letters/waiting-keys.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { oneAtATime } from '../operations/one-at-a-time.ts';
import { recorded, type Operation } from '../operations/operation.ts';
import type { AddVerb } from '../verb.ts';
import { emitMissingAgain, type Backlog } from './backlog.ts';
import { look } from './look.ts';
import { bridge, createInterimSlot, followFailovers, installSlot } from './new-slot.ts';
import { refuseTooMuchLog } from './log-room.ts';
import { readOtherSlots } from './other-slots.ts';
import { previewText } from './preview-text.ts';
import { readSlotFacts } from './slot-facts.ts';
import { judgeLostSlot, type SlotVerdict } from './slot-verdict.ts';
import { countUncovered, emitUncovered, type Uncovered } from './uncovered.ts';
import { giveUpOvertaken } from './waiting-events.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly failover?: boolean;
  readonly force?: boolean;
  readonly parkUnknown?: boolean;
  readonly yes?: boolean;
}

/**
 * `outbound recover`: from a lost slot back to a running relay, without a gap and without a reordering. The relay
 * publishes everything; nothing
 * is written to Kafka here, so fencing, lanes and batches are those of every other day.
 *
 * 1. **What is missing** is what the topics do not have: they are read since the oldest retained event (`backlog.ts`).
 * No position says it: the slot that knew is gone.
 * 2. An **interim slot** begins to keep the log. It is temporary: a recovery that is killed leaves nothing, and a relay
 * goes on saying "data gap".
 * 3. **The cut**, in one transaction. The outbox is held: who had written to it has committed and is visible, who wants
 * to write waits. The slot moves to
 * this point, so it skips all of those, and what is missing of them is written again, same ids and bytes. Then the
 * writers
 * go on. So after the cut the log has first every missing event, each entity's in order of its versions, and then what
 * is new (I1, I3). An
 * exported snapshot at the slot's creation, published from outside, needs no hold; but it needs a second producer that
 * fences, and
 *    a relay that knows when that one has finished.
 * 4. **What the outbox no longer has** is said by the rows: S or D events behind the cut.
 * 5. The slot gets its name, as the last thing. What was in flight when the old slot was lost may come twice, with the
 * same event id (I7);
 *    a relay of before that still lives is fenced by the first write of the new one, as at every takeover.
 *
 * A compacted topic: what comes again for an entity ends with its newest version, so its last record is the newest
 * (I4).
 */
export const addRecover: AddVerb = (verb, bind) => {
  verb
    .option('--force', 'also if the slot looks sound or was never recorded')
    .option(
      '--failover',
      'a slot that follows a failover (Postgres 17); by itself if the lost one did; a sound one is let follow',
    )
    .option(
      '--park-unknown',
      'also events of types that neither the relay nor this knows: the relay makes dead letters of them',
    )
    .option('--dry-run', 'show what is missing and do nothing')
    .option('-y, --yes', 'do it without asking')
    .addHelpText(
      'after',
      '\nStop the relay first, or let it stand with its exit code 11. Writers wait while the missing events are written again (seconds;\nthe preview says how many). Needs a role with REPLICATION. A relay with RELAY_EVENT_TYPES: name the same module in OUTBOUND_EVENT_TYPES.',
    )
    .action(bind(recover));
};

async function recover(context: CliContext, options: Options): Promise<ExitCode> {
  const pool = await context.database();
  return oneAtATime(pool, 'recover', async () => {
    const session = await pool.connect();
    // A broken connection fails the next statement, which says so.
    const ignore = (): void => undefined;
    session.on('error', ignore);
    try {
      return await inSession(context, pool, session, options);
    } finally {
      // Ended for good: its tables and its interim slot go with it.
      session.release(true);
      session.off('error', ignore);
    }
  });
}

async function inSession(
  context: CliContext,
  pool: pg.Pool,
  session: pg.PoolClient,
  options: Options,
): Promise<ExitCode> {
  const { output, settings } = context;
  const db = createDatabase(pool);
  await session.query('set statement_timeout = 0');
  const facts = await readSlotFacts(session, settings.slot);
  const verdict = judgeLostSlot(facts, options);
  if (verdict.isOnlyFailover) return letFollow(context, pool, verdict.why, options);
  const { backlog, uncovered, recordCount, waiting } = await look(context, session);
  const uncoveredCount = await countAll(db, uncovered);
  const preview = {
    slot: settings.slot,
    why: verdict.why,
    recordsRead: recordCount,
    missingEvents: backlog.events,
    missingEntities: backlog.entities,
    uncoveredEntities: uncoveredCount,
    waitingEvents: waiting.reduce((sum, { letters }) => sum + letters.length, 0),
    overtakenKeys: backlog.overtaken.length,
    logBytes: backlog.logBytes,
    failover: verdict.isFailover,
    otherSlots: await readOtherSlots(session, settings.slot),
  };
  output.note(previewText(preview));
  if (options.parkUnknown !== true) refuseUnknownTypes(backlog);
  refuseTooMuchLog(backlog.logBytes, facts.limitBytes);
  if (options.dryRun === true) {
    output.answer({ ...preview, dryRun: true }, 'nothing was done');
    return exitCodes.done;
  }
  await context.confirm(`Make slot "${settings.slot}" anew and publish what is missing?`, {
    yes: options.yes === true,
  });
  const parameters = { ...preview, otherSlots: preview.otherSlots.join(' ') };
  return recorded(pool, { verb: 'recover', parameters }, (operation) =>
    rebuild(
      {
        context,
        pool,
        db,
        session,
        verdict,
        backlog,
        uncovered,
        waiting,
      },
      operation,
    ),
  );
}

/** Of a sound slot, such as one that a recovery was cut off behind. */
async function letFollow(
  context: CliContext,
  pool: pg.Pool,
  why: string,
  options: Options,
): Promise<ExitCode> {
  const { output, settings } = context;
  const parameters = { slot: settings.slot, why, failover: true };
  if (options.dryRun === true) {
    output.answer(
      { ...parameters, dryRun: true },
      `slot "${settings.slot}" ${why}; nothing was done`,
    );
    return exitCodes.done;
  }
  await context.confirm(`Slot "${settings.slot}" ${why}. Let it follow failovers?`, {
    yes: options.yes === true,
  });
  return recorded(pool, { verb: 'recover', parameters }, async (operation) => {
    await followFailovers(pool, context.databaseUrl(), settings.slot);
    output.answer(
      { ...parameters, operation: operation.id },
      `slot "${settings.slot}" follows failovers; nothing else was to be done`,
    );
    return exitCodes.done;
  });
}

/** @throws CliError EVENT_TYPE_UNKNOWN: whether these are in their topics cannot be told, since those are not known. */
function refuseUnknownTypes({ unknownTypes }: Backlog): void {
  if (unknownTypes.length === 0) return;
  throw new CliError(
    'EVENT_TYPE_UNKNOWN',
    `the outbox holds events of types that this outbound does not know (${unknownTypes.slice(0, 5).join(', ')}${unknownTypes.length > 5 ? ', …' : ''}), so whether they are in their topics cannot be told: ` +
      `use the outbound of the relay's release, with the relay's module in OUTBOUND_EVENT_TYPES; if the relay does not know them either, --park-unknown lets it make dead letters of them; nothing was changed`,
    { exitCode: exitCodes.usage },
  );
}

async function rebuild(
  plan: {
    readonly context: CliContext;
    readonly pool: pg.Pool;
    readonly db: Database;
    readonly session: pg.PoolClient;
    readonly verdict: SlotVerdict;
    readonly backlog: Backlog;
    readonly uncovered: readonly Uncovered[];
    readonly waiting: readonly WaitingKey[];
  },
  operation: Operation,
): Promise<ExitCode> {
  const { context, pool, db, session, verdict, backlog, uncovered, waiting } = plan;
  const { output, settings } = context;
  await createInterimSlot(session, settings.slot, {
    pool,
    signal: context.signal,
    onBlocked: (blocker) =>
      output.note(`the new slot waits for a transaction that is writing: ${blocker}`),
  });
  const {
    emitted: { emitted, mended, refused },
    slotLsn,
    heldMs,
  } = await bridge(session, settings.slot, {
    // A commit of another session flushes everything before it; one that does not wait for that would leave the slot behind.
    flush: () => operation.progress({ step: 'held' }, { flushed: true }),
    emit: async () => {
      // Before the events: when the relay comes to those, the key is free.
      await giveUpOvertaken(session, backlog, waiting);
      return emitMissingAgain(session, backlog);
    },
  });
  const told = { mended: mended.join(' '), refused: refused.join(' ') };
  await operation.progress({ step: 'emitted', emitted, slotLsn, ...told });
  let filled = 0;
  for (const each of uncovered) filled += await emitUncovered(db, each);
  await installSlot(session, settings.slot, { slotLsn, mustDrop: verdict.mustDrop });
  if (verdict.isFailover) await followFailovers(pool, context.databaseUrl(), settings.slot);
  const answer = {
    slot: settings.slot,
    operation: operation.id,
    slotLsn,
    emitted,
    mended,
    refused,
    filled,
    heldMs: Math.round(heldMs),
  };
  output.answer(
    answer,
    [
      `slot "${settings.slot}" is new and begins at ${slotLsn}`,
      `${emitted} events that are not in Kafka were written into the outbox again; writers waited ${durationText(heldMs / 1000)} for it`,
      ...(mended.length === 0
        ? []
        : [
            `of ${mended.length} headers that are no text, which no relay could publish, were left out: ${mended.join(', ')}`,
          ]),
      ...(refused.length === 0
        ? []
        : [
            `${refused.length} events break the table's checks, so they are not published: ${refused.join(', ')}; emit the present state of their entities (outbound backfill)`,
          ]),
      filled === 0
        ? 'the outbox covered everything'
        : `${filled} entities had a change whose event the outbox no longer has: what they are now was emitted; versions in between are lost to the change topics`,
      'start the relay; when it has caught up (outbound status), outbound verify proves that nothing is missing',
    ].join('\n'),
  );
  return refused.length === 0 ? exitCodes.done : exitCodes.differs;
}

async function countAll(db: Database, uncovered: readonly Uncovered[]): Promise<number> {
  let count = 0;
  for (const each of uncovered) count += await countUncovered(db, each);
  return count;
}
