import type pg from 'pg';

/**
 * Names of the slots by which others read the outbox: rows that are written again for one of them come again for all. Those of relays that are lost
 * at present count, since their own recovery publishes from the outbox. In order of their names.
 */
export async function readOtherSlots(client: pg.ClientBase, slot: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select slot_name::text as name from pg_replication_slots
       where slot_type = 'logical' and plugin = 'pgoutput' and database = current_database() and not temporary and slot_name <> $1
     union select slot_name::text from relay_slot where slot_name <> $1
     order by 1`,
    [slot],
  );
  return rows.map(({ name }) => name);
}
