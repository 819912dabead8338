import type { OutboxRowText } from '@outbound/contract';
import type pg from 'pg';

/** Rows of one transaction. */
export const rowsAtOnce = 200;

/**
 * Writes letters into the outbox, in their order, all in one transaction, by the function that the relay uses, too: it
 * refuses rows that are not marked as letters. **Order**: what is written in one call comes behind what calls before it
 * have written.
 */
export async function writeOutboxRows(
  db: Pick<pg.Pool, 'query'>,
  rows: readonly OutboxRowText[],
): Promise<void> {
  const column = (name: keyof OutboxRowText) => rows.map((row) => row[name]);
  await db.query('select public.outbox_redrive($1, $2, $3, $4, $5, $6, $7, $8)', [
    column('id'),
    column('aggregatetype'),
    column('aggregateid'),
    column('type'),
    column('version'),
    column('data_op'),
    column('payload'),
    column('headers'),
  ]);
}
