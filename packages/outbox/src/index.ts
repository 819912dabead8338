export { changeInOne, changeStatement } from './change-in-one.ts';
export { createDatabase, type Database, type Transaction } from './database.ts';
export {
  inTransaction,
  type OpenTransaction,
  type TransactionOptions,
  type TransactionTimeouts,
} from './in-transaction.ts';
export { arrayText } from './array-text.ts';
export { sqlType } from './sql-type.ts';
export type { Query, Statement } from './query.ts';
export type { Emit, EmitRows } from './emissions.ts';
export { outboxRow, type EventToEmit, type OutboxRow } from './outbox-row.ts';
export { readStatement } from './run-statement.ts';
export {
  PreparedStatement,
  type BoundStatement,
  type StatementValues,
} from './prepared-statement.ts';
export type { Entity, EntityTable, Row, StoredAggregate } from './aggregates/stored-aggregate.ts';
export { maxEventBytes, outboxTable } from './tables/outbox.ts';
export { relaySlotTable } from './tables/relay-slot.ts';
export { operationTable } from './tables/operation.ts';
export { outboxSealTable } from './tables/outbox-seal.ts';
export { jsonObjectColumn, jsonTextColumn } from './tables/json-text.ts';
