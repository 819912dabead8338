import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  index,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { transactionId } from './transaction-id.ts';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** Categories: the second aggregate. Deleted like products. */
export const categoryTable = pgTable(
  'category',
  {
    id: uuid().notNull().primaryKey(),
    /** Unique among live categories. */
    code: text().notNull(),
    name: text().notNull(),
    description: text(),
    version: bigint({ mode: 'number' }).notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
    deletedAt: moment('deleted_at'),
    /** When the data of the deleted entity was dropped: id, version and times are true, the rest is a placeholder. */
    purgedAt: moment('purged_at'),
    /** The transaction that changed it last: the database's own, and the order in which changes are followed. */
    changedIn: transactionId('changed_in')
      .notNull()
      .default(sql`pg_current_xact_id()`),
  },
  (table) => {
    const live = sql`deleted_at is null`;
    return [
      uniqueIndex('category_code_key').on(table.code).where(live),
      index('category_live_idx').on(table.id).where(live),
      index('category_updated_idx').on(table.updatedAt, table.id).where(live),
      index('category_changed_idx').on(table.changedIn, table.id),
      index('category_to_purge_idx')
        .on(table.deletedAt)
        .where(sql`deleted_at is not null and purged_at is null`),
      check(
        'category_code_check',
        sql`code ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and char_length(code) <= 64`,
      ),
      check('category_name_check', sql`char_length(name) between 1 and 200`),
      check('category_description_check', sql`char_length(description) <= 4000`),
      check('category_version_check', sql`version >= 1`),
    ];
  },
);
