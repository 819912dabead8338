import { pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { transactionId } from './transaction-id.ts';

/** Up to which change the search of each kind of entity has read. */
export const searchProgressTable = pgTable('search_progress', {
  entity: text().notNull().primaryKey(),
  /** Of the server whose transactions are counted: in another one, reached by a copy of the rows, everything is read anew. */
  systemIdentifier: text('system_identifier').notNull(),
  changedIn: transactionId('changed_in').notNull(),
  id: uuid().notNull(),
  /** While everything is read once, whatever its number: where to go on after that. */
  until: transactionId(),
});
