export { createDatabase, type Database, type Transaction } from './database.ts';
export {
  inTransaction,
  type Emit,
  type OpenTransaction,
  type TransactionOptions,
  type TransactionTimeouts,
} from './in-transaction.ts';
export type { EventToEmit } from './outbox-row.ts';
