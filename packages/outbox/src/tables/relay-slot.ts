import { customType, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

const pgLsn = customType<{ data: string; driverData: string }>({ dataType: () => 'pg_lsn' });

/** The slots that a relay created here. A slot that is listed and gone was dropped behind the relay's back: a data gap. */
export const relaySlotTable = pgTable('relay_slot', {
  slotName: text('slot_name').notNull().primaryKey(),
  /** `system_identifier` of IDENTIFY_SYSTEM: a restored copy of this database knows that the slot was never its own. */
  systemIdentifier: text('system_identifier').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  /** The slot's consistent point. */
  createdLsn: pgLsn('created_lsn').notNull(),
});
