import { sql } from 'drizzle-orm';
import {
  check,
  customType,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { jsonTextColumn } from '@outbound/outbox';

const bytes = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });

/**
 * Answers already given under an Idempotency-Key, stored in the transaction that made the change (Zalando rule 230) and purged after 24 hours.
 * The answer columns are null while the first request is under way in its own transaction.
 */
export const idempotencyKeyTable = pgTable(
  'idempotency_key',
  {
    /** Who sent it and to which operation: keys of different callers never meet. */
    scope: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of method, path and body: another request under the same key is refused. */
    requestHash: bytes('request_hash').notNull(),
    responseStatus: integer('response_status'),
    /** The body as it was sent. */
    responseBody: text('response_body'),
    /** Header name to text. */
    responseHeaders: jsonTextColumn('response_headers'),
    createdAt: timestamp('created_at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'idempotency_key_pkey', columns: [table.scope, table.key] }),
    index('idempotency_key_created_at_idx').on(table.createdAt),
    check(
      'idempotency_key_sound_check',
      sql`public.idempotency_key_is_sound(key, request_hash, response_status)`,
    ),
  ],
);
