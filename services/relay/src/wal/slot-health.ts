import {
  slotHealth,
  slotHealthSql,
  type SlotHealth,
  type SlotHealthRow,
} from '@outbound/service-kit';
import type { ClientBase } from 'pg';

/** Reads the slot's health; undefined if there is no such slot. Needs no privilege. Rejects if the server can't be asked. */
export async function readSlotHealth(
  client: ClientBase,
  slot: string,
): Promise<SlotHealth | undefined> {
  const { rows } = await client.query<SlotHealthRow>(slotHealthSql, [slot]);
  return rows[0] && slotHealth(rows[0]);
}
