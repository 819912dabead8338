import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  index,
  numeric,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { jsonObjectColumn } from '@outbound/outbox';
import { transactionId } from './transaction-id.ts';

/** Time to the millisecond: what a JavaScript Date holds, so that row, answer and event say the same. */
const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** Products. A deleted one keeps its row and version (`deletedAt`), so that creating it again continues the count. */
export const productTable = pgTable(
  'product',
  {
    id: uuid().notNull().primaryKey(),
    /** Unique among live products. */
    sku: text().notNull(),
    name: text().notNull(),
    description: text(),
    brand: text(),
    /** Code of a category. */
    category: text(),
    priceAmount: numeric('price_amount', { precision: 15, scale: 4 }),
    priceCurrency: text('price_currency'),
    attributes: jsonObjectColumn().notNull().default({}),
    status: text().$type<'DRAFT' | 'ACTIVE' | 'DISCONTINUED'>().notNull(),
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
      uniqueIndex('product_sku_key').on(table.sku).where(live),
      index('product_live_idx').on(table.id).where(live),
      index('product_status_idx').on(table.status, table.id).where(live),
      index('product_brand_idx').on(table.brand, table.id).where(live),
      index('product_category_idx').on(table.category, table.id).where(live),
      index('product_updated_idx').on(table.updatedAt, table.id).where(live),
      index('product_price_idx')
        .on(table.priceCurrency, table.priceAmount, table.id)
        .where(sql`deleted_at is null and price_amount is not null`),
      index('product_changed_idx').on(table.changedIn, table.id),
      index('product_to_purge_idx')
        .on(table.deletedAt)
        .where(sql`deleted_at is not null and purged_at is null`),
      // Sizes, forms and codes: one function with all the rules (migrations/0029_sound_rows.sql).
      check(
        'product_sound_check',
        sql`public.product_is_sound(sku, name, description, brand, category, price_amount, price_currency, attributes, status, version)`,
      ),
    ];
  },
);
