import { bigint, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';

/** Which version of an entity its last erasure was. The functions that erase write it, that of versions reads it: nobody else may. */
export const erasureTable = pgTable(
  'erasure',
  {
    aggregateType: text('aggregate_type').notNull(),
    entity: uuid().notNull(),
    version: bigint({ mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ name: 'erasure_pkey', columns: [table.aggregateType, table.entity] })],
);
