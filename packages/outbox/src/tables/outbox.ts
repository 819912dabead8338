import { sql } from 'drizzle-orm';
import {
  bigint,
  char,
  check,
  index,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { jsonTextColumn } from './json-text.ts';

/** The encoded event that still fits a Kafka record of the default size (1,048,588 bytes) with its key and headers: 900 KiB. */
export const maxEventBytes = 900 * 1024;

/**
 * The outbox: one row is one event, written in the transaction that made the change and read from the log by the relay. Names follow Debezium's
 * Outbox Event Router. Partitioned by `created_at`; rows are never updated. Created by `migrations/`.
 */
export const outboxTable = pgTable(
  'outbox',
  {
    /** Event id (`eid`), UUIDv7, minted by the API and never again (Zalando rule 211). */
    id: uuid().notNull(),
    /** The event type's `dataType`. */
    aggregateType: text('aggregatetype').notNull(),
    /** Becomes the record key. */
    aggregateId: text('aggregateid').notNull(),
    /** Event type name. */
    type: text().notNull(),
    /** Entity version: the order of events of one entity. */
    version: bigint({ mode: 'number' }).notNull(),
    dataOp: char('data_op', { length: 1 }).$type<'C' | 'U' | 'D' | 'S'>().notNull(),
    /** The complete record value; its bytes go to Kafka as they are (I5). */
    payload: jsonTextColumn().notNull(),
    /** Header name to text: `traceparent`, `flow_id`. */
    headers: jsonTextColumn().notNull().default('{}'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'outbox_pkey', columns: [table.createdAt, table.id] }),
    index('outbox_aggregate_idx').on(table.aggregateId, table.version),
    // What the relay could not publish is refused: one function with all the rules (migrations/0029_sound_rows.sql).
    check(
      'outbox_sound_check',
      sql`public.outbox_is_sound(aggregatetype, aggregateid, type, version, data_op, payload, headers, created_at)`,
    ),
  ],
);
