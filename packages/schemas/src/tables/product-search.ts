import { customType, index, pgTable, uuid } from 'drizzle-orm/pg-core';

const tsvector = customType<{ data: string; driverData: string }>({ dataType: () => 'tsvector' });

/** Live products by their words and attributes: filled behind the writers, so it may be a second or two late. */
export const productSearchTable = pgTable(
  'product_search',
  { id: uuid().notNull().primaryKey(), document: tsvector().notNull() },
  (table) => [
    index('product_search_document_idx')
      .using('gin', table.document)
      .with({ gin_pending_list_limit: 512 }),
  ],
);
