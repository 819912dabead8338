import type pg from 'pg';
import { formerPlaceId } from '../events/place-id.ts';
import { indexedText, toPostgresText } from '../postgres-text.ts';
import { inboxTableNames, type InboxTables } from './inbox-ddl.ts';
import type { ApplyOutcome, SeenEvent } from './seen-event.ts';

export interface ApplyOnceOptions extends InboxTables {
  /** Whose inbox: consumers with different names see every event once each. The group id serves. */
  readonly consumer: string;
}

/**
 * Makes the effect of an event once: it runs in one transaction with the note that the event was seen, so both commit or neither does.
 * An event is new if its version is above the highest seen of its entity (`dataType` and key); an event without a version, if its id was not seen. So a snapshot (S) at a
 * seen version has no effect, and an older version never follows a newer one. Two members that hold the same key at once (a
 * rebalance under way) wait for each other in the database.
 * @param db a pool: a transaction is opened, and rolled back if `effect` throws. Or a client whose transaction is open: it is
 * joined, and the caller commits it; then roll back if this throws.
 * @param effect writes with this client only: what goes elsewhere is not undone.
 * @throws TypeError for an event without a `dataType`; whatever `effect` or the database throws. Then the event counts as not seen.
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
  { eid, dataType, key, version }: SeenEvent,
  consumer: string,
  tables: InboxTables,
  effect: (client: pg.ClientBase) => Promise<void>,
): Promise<ApplyOutcome> {
  // Empty is what rows of before have, and not the name of anything.
  if (dataType === '') throw new TypeError(`event ${eid} has an empty dataType: declare one`);
  const names = inboxTableNames(tables);
  const former = formerPlaceId(eid);
  if (version === undefined) await renameLong(client, names.event, 'eid', consumer, eid);
  else await renameLong(client, names.version, 'key', consumer, key);
  // One statement decides and locks: a second member waits at the row for the first one's end. A row of before that had a data type is settled by the first event that
  // meets it: it goes, and says by its event id whether this event is the one that was seen. It goes first, because the insert asks for what went.
  // A record without an id of its own was called by its place alone once. A row of then is of this record if it was seen after the record was made.
  const { rows } =
    version === undefined
      ? await client.query<Noted>(
          `with before as (delete from ${names.event} where consumer = $1 and data_type = '' and eid = $3 returning eid),
           former as (select from ${names.event} where consumer = $1 and data_type in ('', $2) and eid = $4 and seen_at >= to_timestamp($5::float8 / 1000))
           insert into ${names.event} (consumer, data_type, eid) select $1::text, $2::text, $3::text from (select count(*) from before) as gone
           on conflict do nothing
           returning exists (select from before) or exists (select from former) as "wasSeen"`,
          [
            ...[consumer, dataType, indexedText(eid)],
            ...[former && indexedText(former.eid), former?.timestampMs],
          ],
        )
      : await client.query<Noted>(
          `with before as (delete from ${names.version} where consumer = $1 and data_type = '' and key = $3 returning eid)
           insert into ${names.version} as seen (consumer, data_type, key, version, eid) select $1::text, $2::text, $3::text, $4::bigint, $5::text from (select count(*) from before) as gone
           on conflict (consumer, data_type, key) do update set version = excluded.version, eid = excluded.eid, seen_at = now()
           where seen.version < excluded.version
           returning exists (select from before where before.eid = $5) as "wasSeen"`,
          [consumer, dataType, indexedText(key), version, toPostgresText(eid)],
        );
  const [noted] = rows;
  if (!noted || noted.wasSeen) return 'seen';
  await effect(client);
  return 'applied';
}

/**
 * Earlier releases noted a long key or id as it is, where the index took it (what can be compressed); by a digest now. A row of then gets it. Costs a statement, for long ones only.
 */
async function renameLong(
  client: pg.ClientBase,
  table: string,
  column: 'key' | 'eid',
  consumer: string,
  text: string,
): Promise<void> {
  const [indexed, whole] = [indexedText(text), toPostgresText(text)];
  if (indexed === whole || whole !== text) return;
  await client.query(
    `update ${table} as noted set ${column} = $3 where consumer = $1 and ${column} = $2
     and not exists (select from ${table} where consumer = $1 and data_type = noted.data_type and ${column} = $3)`,
    [consumer, whole, indexed],
  );
}

/** The row that notes the event; there is none where it was seen. */
interface Noted {
  /** A row of before says so. */
  readonly wasSeen: boolean;
}

function isPool(db: pg.Pool | pg.ClientBase): db is pg.Pool {
  return 'totalCount' in db;
}

function ignore(): void {
  // See where it is attached.
}
