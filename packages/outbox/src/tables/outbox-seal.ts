import { customType, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

const pgLsn = customType<{ data: string; driverData: string }>({ dataType: () => 'pg_lsn' });
const pgOid = customType<{ data: number; driverData: number }>({ dataType: () => 'oid' });

/** Partitions of the outbox that nothing can be committed to any more, and a log position after all of their rows. */
export const outboxSealTable = pgTable('outbox_seal', {
  partitionName: text('partition_name').notNull().primaryKey(),
  sealedAt: timestamp('sealed_at', { withTimezone: true }).notNull().defaultNow(),
  sealedLsn: pgLsn('sealed_lsn').notNull(),
  /** The server in whose log that is. */
  systemIdentifier: text('system_identifier').notNull(),
  /** The table that was sealed. */
  partitionOid: pgOid('partition_oid').notNull(),
});
