import type { Row, Transaction } from '@outbound/outbox';
import { and, eq, isNull } from 'drizzle-orm';
import type { Aggregate } from './aggregate.ts';

/** A row as the commands know it: the columns that every entity has, and its own. */
export interface EntityRow extends Row {
  readonly id: string;
  readonly version: number;
  readonly createdAt: Date;
  readonly deletedAt: Date | null;
}

/** The live entity's row, or undefined. */
export async function selectLive(
  db: Pick<Transaction, 'select'>,
  { table }: Aggregate,
  id: string,
): Promise<Row | undefined> {
  const rows: Row[] = await db
    .select()
    .from(table)
    .where(and(eq(table.id, id), isNull(table.deletedAt)));
  return rows[0];
}

/** The row, deleted or not, locked until the transaction ends: whoever changes this entity next waits here. */
export async function lockRow(
  tx: Transaction,
  { table }: Aggregate,
  id: string,
): Promise<EntityRow | undefined> {
  const rows: Row[] = await tx.select().from(table).where(eq(table.id, id)).for('update');
  return rows[0] as EntityRow | undefined;
}

/** Inserts and gives the row as it is stored, or undefined if the id is taken. */
export async function insertRow(
  tx: Transaction,
  { table }: Aggregate,
  row: Row,
): Promise<Row | undefined> {
  const rows: Row[] = await tx
    .insert(table)
    .values(row)
    .onConflictDoNothing({ target: table.id })
    .returning();
  return rows[0];
}

/** Inserts what collides with no unique key and gives the stored rows. **Order**: not that of `rows`. */
export async function insertRows(
  tx: Transaction,
  { table }: Aggregate,
  rows: readonly Row[],
): Promise<readonly Row[]> {
  return tx
    .insert(table)
    .values([...rows])
    .onConflictDoNothing()
    .returning();
}

/** Changes columns of a locked row and gives it as it is stored. */
export async function updateRow(
  tx: Transaction,
  { table, name }: Aggregate,
  id: string,
  changes: Row,
): Promise<Row> {
  const rows: Row[] = await tx.update(table).set(changes).where(eq(table.id, id)).returning();
  const [row] = rows;
  if (row === undefined) throw new Error(`the locked ${name} ${id} is gone`);
  return row;
}
