import type pg from 'pg';
import { inboxTableNames, type InboxTables } from './inbox-ddl.ts';
import type { ApplyOutcome, SeenEvent } from './seen-event.ts';

export interface ApplyOnceOptions extends InboxTables {
  /** Whose inbox: consumers with different names see every event once each. The group id serves. */
  readonly consumer: string;
}

/**
 * Makes the effect of an event once: it runs in one transaction with the note that the event was seen, so both commit or neither does.
 * An event is new if its version is above the highest seen of its key; an event without a version, if its id was not seen. So a snapshot (S) at a
 * seen version has no effect, and an older version never follows a newer one. Two members that hold the same key at once (a
 * rebalance under way) wait for each other in the database.
 * @param db a pool: a transaction is opened, and rolled back if `effect` throws. Or a client whose transaction is open: it is
 * joined, and the caller commits it; then roll back if this throws.
 * @param effect writes with this client only: what goes elsewhere is not undone.
 * @throws whatever `effect` or the database throws; then the event counts as not seen.
 */
export async function applyOnce(
  db: pg.Pool | pg.ClientBase,
  event: SeenEvent,
  { consumer, ...tables }: ApplyOnceOptions,
  effect: (client: pg.ClientBase) => Promise<void>,
): Promise<ApplyOutcome> {
  if (!isPool(db)) return applyIn(db, event, consumer, tables, effect);
  const client = await db.connect();
  // The pool listens to idle connections only: one that breaks between two statements would end the process. The next statement fails.
  client.on('error', ignore);
  try {
    await client.query('begin');
    const outcome = await applyIn(client, event, consumer, tables, effect);
    const { command } = await client.query('commit');
    // Postgres answers the commit of a failed transaction with a rollback and no error.
    if (command !== 'COMMIT')
      throw new Error(
        'a statement of the effect failed and its error was swallowed: let it through',
      );
    return outcome;
  } catch (error) {
    await client.query('rollback').catch(ignore);
    throw error;
  } finally {
    // A connection whose transaction could not be ended must not serve anybody else.
    client.release(client.getTransactionStatus() !== 'I');
    client.off('error', ignore);
  }
}

async function applyIn(
  client: pg.ClientBase,
  { eid, key, version }: SeenEvent,
  consumer: string,
  tables: InboxTables,
  effect: (client: pg.ClientBase) => Promise<void>,
): Promise<ApplyOutcome> {
  const names = inboxTableNames(tables);
  // One statement decides and locks: a second member waits at the row for the first one's end.
  const { rowCount } =
    version === undefined
      ? await client.query(
          `insert into ${names.event} (consumer, eid) values ($1, $2) on conflict do nothing`,
          [consumer, eid],
        )
      : await client.query(
          `insert into ${names.version} as seen (consumer, key, version, eid) values ($1, $2, $3, $4)
           on conflict (consumer, key) do update set version = excluded.version, eid = excluded.eid, seen_at = now()
           where seen.version < excluded.version`,
          [consumer, key, version, eid],
        );
  if (rowCount !== 1) return 'seen';
  await effect(client);
  return 'applied';
}

function isPool(db: pg.Pool | pg.ClientBase): db is pg.Pool {
  return 'totalCount' in db;
}

function ignore(): void {
  // See where it is attached.
}
