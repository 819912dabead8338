import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { jsonTextColumn } from './json-text.ts';

/** What people did to the pipeline at the command line. An operation without an end was killed, or runs. */
export const operationTable = pgTable(
  'operation',
  {
    id: uuid().notNull().primaryKey(),
    /** The verb of the command: `backfill`. */
    verb: text().notNull(),
    /** Who: `user@host as database_role`. */
    actor: text().notNull(),
    /** What was asked for; never a secret or a payload. */
    parameters: jsonTextColumn().notNull().default('{}'),
    /** How far it is, if it can be resumed. */
    progress: jsonTextColumn(),
    /** `done`, or the code of the error. */
    outcome: text(),
    startedAt: timestamp('started_at', { withTimezone: true, precision: 3 }).notNull().defaultNow(),
    endedAt: timestamp('ended_at', { withTimezone: true, precision: 3 }),
  },
  (table) => [
    check('operation_verb_check', sql`${table.verb} ~ '^[a-z][a-z-]{0,31}$'`),
    check('operation_actor_check', sql`char_length(${table.actor}) between 1 and 200`),
    check('operation_outcome_check', sql`(${table.outcome} is null) = (${table.endedAt} is null)`),
    index('operation_started_at_idx').on(table.startedAt),
  ],
);
