import { inTransaction, type Database, type Row, type StoredAggregate } from '@outbound/outbox';
import type { OutboxRowText } from '@outbound/contract';
import { eq, getTableName, sql } from 'drizzle-orm';
import { CliError, exitCodes } from '../exit-codes.ts';

/** What was committed. */
export interface ErasedEntity {
  /** Of the deletion: everything of the entity that is older is to go. */
  readonly version: number;
  /** When its transaction began, by the database's clock: no record of the deletion is older. */
  readonly at: Date;
}

/**
 * Empties the entity's row, deleted or not, and emits that as a deletion with the next version, in one transaction; undefined if there is no row.
 * The event says what is left of the entity, so it brings nothing along. `discard`: a row that gives up its dead letters, written before the event, which
 * would become one more of them otherwise.
 *
 * **Order**: the row is locked first, and the event written under that lock, as by every command (I3).
 * @throws CliError ENTITY_REFERRED if others refer to it; PipelineError WRITE_CONFLICT, or what the database throws; then nothing was written.
 */
export async function eraseEntity(
  db: Database,
  aggregate: StoredAggregate,
  id: string,
  discard: OutboxRowText | undefined,
): Promise<ErasedEntity | undefined> {
  const { table, eventType } = aggregate;
  const erase = sql.identifier(`${getTableName(table)}_erase`);
  return inTransaction(
    db,
    async ({ tx, emit }) => {
      const { rows: began } = await tx.execute<{ at: string }>(
        sql`select (extract(epoch from now()) * 1000)::bigint::text as at`,
      );
      await tx.execute(sql`select public.${erase}(${id}::uuid)`).catch((thrown: unknown) => {
        throw referred(thrown, aggregate.name) ?? thrown;
      });
      const rows: Row[] = await tx.select().from(table).where(eq(table.id, id));
      const [row] = rows;
      if (row === undefined) return undefined;
      if (discard !== undefined)
        await tx.execute(sql`select public.outbox_redrive(array[${discard.id}]::uuid[], array[${discard.aggregatetype}]::text[],
          array[${discard.aggregateid}]::text[], array[${discard.type}]::text[], array[${discard.version}]::bigint[],
          array[${discard.data_op}]::text[], array[${discard.payload}]::text[], array[${discard.headers}]::text[])`);
      const entity = aggregate.toEntity(row);
      await emit(eventType, {
        aggregateId: entity.id,
        version: entity.version,
        dataOp: 'D',
        data: entity,
      });
      return { version: entity.version, at: new Date(Number(began[0]?.at)) };
    },
    { isolationLevel: 'read committed' },
  );
}

/** What the trigger says that keeps an entity as long as others refer to it (`migrations/0024_references.sql`). */
function referred(thrown: unknown, name: string): CliError | undefined {
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
  const isReference =
    cause instanceof Error && 'constraint' in cause && cause.constraint === `${name}_referred`;
  if (!isReference) return undefined;
  return new CliError(
    'ENTITY_REFERRED',
    `the ${name} stays as long as others refer to it, and nothing was done: ${cause.message}; change or delete those first`,
    { exitCode: exitCodes.usage, cause },
  );
}
