import { emitSnapshots } from '../snapshots/emit-snapshots.ts';
import type { EventTypeRegistry } from '@outbound/contract';
import type { Database, StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import { and, asc, getTableName, gt, gte, sql } from 'drizzle-orm';
import type pg from 'pg';

/**
 * Entities of one kind whose last change has no event in the outbox any more, although it may not have been published.
 */
export interface Uncovered {
  readonly aggregate: StoredAggregate;
  /** Rows that were changed at or after this. */
  readonly since: Date;
}

const chunk = 500;

/**
 * The kinds of entities whose rows can say what the outbox no longer has: those that the relay carries, and whose table is in this database. Of
 * other event types nothing is known but their events.
 */
export async function storedHere(
  session: Pick<pg.ClientBase, 'query'>,
  eventTypes: EventTypeRegistry,
): Promise<readonly StoredAggregate[]> {
  const carried = [...storedAggregates.values()].filter(({ eventType }) =>
    eventTypes.has(eventType.name),
  );
  const { rows } = await session.query<{ name: string }>(
    'select name from unnest($1::text[]) as name where to_regclass(quote_ident(name)) is not null',
    [carried.map(({ table }) => getTableName(table))],
  );
  const here = new Set(rows.map(({ name }) => name));
  return carried.filter(({ table }) => here.has(getTableName(table)));
}

/**
 * How many there are. In a database whose outbox only housekeeping has touched, none: it drops nothing that a lost slot
 * may need.
 */
export async function countUncovered(db: Database, uncovered: Uncovered): Promise<number> {
  const { table } = uncovered.aggregate;
  const [row] = await db
    .select({ count: sql<string>`count(*)` })
    .from(table)
    .where(condition(uncovered));
  return Number(row?.count);
}

/** Emits what they are now (S, or D for a deleted one), in chunks of 500; gives how many events. */
export async function emitUncovered(db: Database, uncovered: Uncovered): Promise<number> {
  const { aggregate } = uncovered;
  const { table } = aggregate;
  let emitted = 0;
  for (let after: string | undefined; ;) {
    const rows = await db
      .select({ id: table.id })
      .from(table)
      .where(and(condition(uncovered), after === undefined ? undefined : gt(table.id, after)))
      .orderBy(asc(table.id))
      .limit(chunk);
    const ids = rows.map(({ id }) => String(id));
    after = ids.at(-1);
    if (after === undefined) return emitted;
    const { snapshots, deletions } = await emitSnapshots(db, aggregate, ids);
    emitted += snapshots + deletions;
  }
}

function condition({ aggregate: { table, eventType }, since }: Uncovered) {
  return and(
    gte(table.updatedAt, since),
    sql`not exists (select from outbox o where o.aggregatetype = ${eventType.dataType}
      and o.aggregateid = ${table.id}::text and o.version >= ${table.version})`,
  );
}
