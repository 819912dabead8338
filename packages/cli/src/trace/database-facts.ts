import { setTimeout as delay } from 'node:timers/promises';
import type { DataOp } from '@outbound/contract';
import { createDatabase } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import { eq } from 'drizzle-orm';
import type pg from 'pg';
import type { OutboxFacts, SlotFacts, TracedRow } from './trace-report.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const hourMs = 3_600_000;

const outboxColumns = `id::text as eid, aggregatetype as "aggregateType", aggregateid as "aggregateId", type as "eventType", version::text as version,
  data_op as "dataOp", floor(extract(epoch from created_at) * 1000)::text as "createdAtMs", octet_length(payload::text) as bytes`;

interface OutboxAnswer {
  readonly eid: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly eventType: string;
  readonly version: string;
  readonly dataOp: DataOp;
  readonly createdAtMs: string;
  readonly bytes: number;
}

/** The entity's row, of whichever kind it is. */
export async function findRow(pool: pg.Pool, id: string): Promise<TracedRow | undefined> {
  if (!uuid.test(id)) return undefined;
  const db = createDatabase(pool);
  for (const { name, table } of storedAggregates.values()) {
    const [row] = await db
      .select({ id: table.id, version: table.version, deletedAt: table.deletedAt })
      .from(table)
      .where(eq(table.id, id));
    if (row)
      return {
        aggregate: name,
        id: String(row.id),
        version: Number(row.version),
        isDeleted: row.deletedAt !== null,
      };
  }
  return undefined;
}

/**
 * The outbox row with this event id. The table is indexed by time and id: a UUIDv7 tells when it was made, so first
 * only that time is searched.
 */
export async function findEvent(pool: pg.Pool, id: string): Promise<OutboxFacts | undefined> {
  const match = uuid.exec(id);
  if (!match) return undefined;
  if (match[1] === '7') {
    const madeAtMs = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    const [near] = await rows(
      pool,
      'id = $1 and created_at between to_timestamp($2::float8 / 1000) and to_timestamp($3::float8 / 1000)',
      [id, madeAtMs - hourMs, madeAtMs + hourMs],
    );
    if (near) return near;
  }
  return (await rows(pool, 'id = $1', [id]))[0];
}

/** The newest events of an entity, the last version first, and how many there are in all. */
export async function eventsOf(
  pool: pg.Pool,
  aggregateId: string,
  limit: number,
): Promise<{ readonly events: readonly OutboxFacts[]; readonly retained: number }> {
  const events = await rows(
    pool,
    'aggregateid = $1',
    [aggregateId],
    // Qualified: the answer's column of that name is text, and would come first.
    'order by outbox.version desc, outbox.created_at desc limit $2',
    [limit],
  );
  return { events, retained: await countOf(pool, aggregateId) };
}

/** How many events of an entity the outbox still holds. */
export async function countOf(pool: pg.Pool, aggregateId: string): Promise<number> {
  const counted = await pool.query<{ count: string }>(
    'select count(*)::text as count from outbox where aggregateid = $1',
    [aggregateId],
  );
  return Number(counted.rows[0]?.count ?? 0);
}

/**
 * The slot as it is now. Ask after the rows: what was committed then is before the log's end now.
 * @param endLsn the log's end of an earlier answer, to see whether the slot has passed it since
 */
export async function slotFacts(
  pool: pg.Pool,
  name: string,
  endLsn: string | null = null,
): Promise<SlotFacts> {
  const { rows: found } = await pool.query<{
    endLsn: string | null;
    isActive: boolean | null;
    confirmedLsn: string | null;
    lagBytes: string | null;
    walStatus: string | null;
    isAhead: boolean | null;
  }>(
    `select e.lsn::text as "endLsn", active as "isActive", confirmed_flush_lsn::text as "confirmedLsn", wal_status as "walStatus",
       pg_wal_lsn_diff(e.lsn, confirmed_flush_lsn)::text as "lagBytes",
       case when pg_is_in_recovery() then null else confirmed_flush_lsn > pg_current_wal_flush_lsn() end as "isAhead"
     from (select coalesce($2::pg_lsn, case when pg_is_in_recovery() then null else pg_current_wal_flush_lsn() end)) as e (lsn)
     left join pg_replication_slots on slot_name = $1`,
    [name, endLsn],
  );
  const [slot] = found;
  return {
    name,
    exists: slot?.isActive != null,
    isActive: slot?.isActive === true,
    endLsn: slot?.endLsn ?? undefined,
    confirmedLsn: slot?.confirmedLsn ?? undefined,
    lagBytes: slot?.lagBytes == null ? undefined : Math.max(0, Number(slot.lagBytes)),
    walStatus: slot?.walStatus ?? undefined,
    isAhead: slot?.isAhead === true,
  };
}

/**
 * Gives a connected relay the time to say how far it is: the slot as soon as it has passed `endLsn`, else as it is
 * after `timeoutMs`.
 */
export async function slotPassing(
  pool: pg.Pool,
  slot: SlotFacts,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<SlotFacts> {
  const deadline = performance.now() + timeoutMs;
  let now = slot;
  while (now.isActive && now.lagBytes !== 0 && performance.now() < deadline && !signal.aborted) {
    await delay(250, undefined, { signal }).catch(() => undefined);
    now = await slotFacts(pool, slot.name, slot.endLsn);
  }
  return now;
}

async function rows(
  pool: pg.Pool,
  condition: string,
  values: readonly unknown[],
  rest = '',
  more: readonly unknown[] = [],
): Promise<OutboxFacts[]> {
  const answer = await pool.query<OutboxAnswer>(
    `select ${outboxColumns} from outbox where ${condition} ${rest}`,
    [...values, ...more],
  );
  return answer.rows.map((row) => ({
    ...row,
    version: Number(row.version),
    createdAtMs: Number(row.createdAtMs),
  }));
}
