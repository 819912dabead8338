import type pg from 'pg';
import { ConsumerError } from '../errors.ts';
import { anotherWriter, requireAsWritten, type FoundPosition } from './found-positions.ts';
import { notJson } from './json-value.ts';
import { keyTooLong } from './long-key.ts';
import { isRefusedValue, isTooLong, postgresStoreError } from './postgres-error.ts';
import {
  areOursCondition,
  notOursAnyMore,
  openStateTables,
  type StateTables,
} from './state-tables.ts';
import { StateEpochs } from './state-epochs.ts';
import type { StateBatch, StatePosition, StateStore } from './state-store.ts';
import type { StorePool } from './store-pool.ts';
import { refusedEntry, writeStates, type StateWriting } from './write-states.ts';

/**
 * A state in a Postgres table, `table (key, version, value)`, with its positions in `table_position`, written in the
 * same transaction. Makes both tables if they are
 * not there; a table that we have not made is never touched, whatever it looks like (see `stateTableDdl`). Commits
 * without waiting for the disk: after a crash of the
 * server state and positions are older together, as after the restore of a backup or the failover to a replica that
 * lagged. That is noticed by the positions, with
 * the next step or `confirm`, and so is a second writer.
 * The store holds JSON: of a value that begins with the id of its schema the five bytes are left out.
 * @throws ConsumerError STORE_UNUSABLE if the table is not ours, holds the state of another topic, or the name is no
 * plain table name; STORE_UNAVAILABLE,
 * STORE_FAILED. Its methods throw these, `applyBatch` and `confirm` STORE_WENT_BACK, and `applyBatch` STATE_UNREADABLE
 * for a value that is not JSON.
 */
export async function openPostgresStore(
  pool: StorePool,
  { table, topic }: { readonly table: string; readonly topic: string },
): Promise<StateStore> {
  /** Everything that is asked of Postgres goes through here: what fails is Postgres' fault, and says so. */
  const guarded = async <Outcome>(work: () => Promise<Outcome>): Promise<Outcome> => {
    try {
      return await work();
    } catch (thrown) {
      throw postgresStoreError(thrown, table);
    }
  };
  const tables = await guarded(() => openTables(pool, table, topic));
  const { rows: may } = await guarded(() =>
    pool.query<{ stage: boolean }>(
      `select has_database_privilege(current_database(), 'TEMPORARY') as stage`,
    ),
  );
  const writing = { state: tables.state, topic, canStage: may[0]?.stage === true };
  /** As we have written them: nobody else may. */
  const written = new Map<number, StatePosition>();
  const epochs = new StateEpochs();
  const holding = { tables, topic, written, epochs };
  let currentAtMs = 0;
  return {
    positions: () =>
      guarded(async () => {
        const found = await readPositions(pool, tables, topic);
        written.clear();
        epochs.adopt(found.epochs);
        for (const position of found.positions) written.set(position.partition, position);
        currentAtMs = found.currentAtMs;
        return { partitions: new Map(written), currentAtMs };
      }),
    async applyBatch(batch) {
      await guarded(() =>
        applyBatch(pool, batch, { ...holding, writing, currentAtMs }).catch((thrown: unknown) =>
          namingRecord(pool, thrown, batch, topic),
        ),
      );
      for (const position of batch.positions) written.set(position.partition, position);
    },
    confirm: (atMs) =>
      guarded(async () => {
        await inTransaction(pool, (client) => confirm(client, atMs, holding));
        currentAtMs = atMs;
      }),
    caughtUp: () => Promise.resolve(),
    clear: (atMs) =>
      guarded(async () => {
        await inTransaction(pool, (client) => clearTables(client, tables));
        written.clear();
        epochs.begin();
        currentAtMs = atMs;
      }),
    close: () => Promise.resolve(),
  };
}

async function openTables(pool: StorePool, table: string, topic: string): Promise<StateTables> {
  let tables: StateTables | undefined;
  const work = async (client: pg.PoolClient) => {
    // Two that open the same new store make it once.
    await client.query(
      `select pg_advisory_xact_lock(hashtextextended('outbound state ' || $1, 0))`,
      [table],
    );
    tables = await openStateTables(client, table);
    const { rows: others } = await client.query<{ topic: string }>(
      `select topic from ${tables.positions} where topic <> $1 limit 1`,
      [topic],
    );
    if (others[0])
      throw new ConsumerError(
        'STORE_UNUSABLE',
        `${table} holds the state of ${others[0].topic}: name another table for ${topic}`,
      );
  };
  // On the disk, or a crash would leave positions of ours without a table.
  await inTransaction(pool, work, { waitsForDisk: true });
  if (!tables) throw new Error('a transaction that was committed had not run');
  return tables;
}

async function readPositions(pool: StorePool, { positions }: StateTables, topic: string) {
  const { rows } = await pool.query<{
    partition: number;
    next: string;
    mark: string;
    epoch: string;
    current: Date;
  }>(
    `select partition, next_offset::text as next, mark, epoch, current_at as current from ${positions} where topic = $1`,
    [topic],
  );
  return {
    positions: rows.map(({ partition, next, mark }) => ({
      partition,
      mark,
      nextOffset: BigInt(next),
    })),
    epochs: rows.map(({ epoch }) => epoch),
    currentAtMs: rows.length === 0 ? 0 : Math.min(...rows.map(({ current }) => current.getTime())),
  };
}

/** What has to be so for a write to count. */
interface Holding {
  readonly tables: StateTables;
  readonly topic: string;
  readonly written: ReadonlyMap<number, StatePosition>;
  readonly epochs: StateEpochs;
}

interface Applying extends Holding {
  readonly writing: StateWriting;
  readonly currentAtMs: number;
}

async function applyBatch(pool: StorePool, batch: StateBatch, applying: Applying): Promise<void> {
  await inTransaction(pool, async (client) => {
    await writeStates(client, batch.entries, applying.writing);
    await writePositions(client, batch.positions, applying);
  });
}

/** The tables as they are when the statement begins. */
interface FoundNow {
  readonly are_ours: boolean;
  readonly stored: readonly (readonly [
    partition: number,
    next: string,
    mark: string,
    epoch: string,
  ])[];
}

/** Columns of `FoundNow`, the topic being the first parameter. */
function foundNow(tables: StateTables): string {
  return `${areOursCondition(tables)} as are_ours,
    (select coalesce(json_agg(json_build_array(partition, next_offset::text, mark, epoch)), '[]') from ${tables.positions} where topic = $1) as stored`;
}

/** @throws ConsumerError STORE_UNUSABLE, STORE_WENT_BACK */
function requireFound(found: FoundNow | undefined, { tables, written, epochs }: Holding): void {
  if (found?.are_ours !== true) throw notOursAnyMore(tables);
  const stored = found.stored.map(([partition, next, mark, epoch]): [number, FoundPosition] => [
    partition,
    { partition, nextOffset: BigInt(next), mark, when: epochs.whenIs(epoch) },
  ]);
  requireAsWritten(tables.state, written, new Map(stored));
}

/** Behind the entries, so that the locks are held: what is true of the tables now is true until the commit. */
async function writePositions(
  client: pg.PoolClient,
  positions: readonly StatePosition[],
  applying: Applying,
): Promise<void> {
  const { tables, topic, written, epochs, currentAtMs } = applying;
  const { rows } = await client.query<FoundNow & { done: readonly number[] | null }>(
    `with given as (
       select * from unnest($2::integer[], $3::bigint[], $4::text[], $5::bigint[]) as g (partition, next_offset, mark, before)
     ), added as (
       insert into ${tables.positions} (topic, partition, next_offset, mark, current_at, epoch)
       select $1, partition, next_offset, mark, $6::timestamptz, $7 from given where before is null
       on conflict do nothing returning partition
     ), moved as (
       update ${tables.positions} p set next_offset = g.next_offset, mark = g.mark
       from given g where p.topic = $1 and p.partition = g.partition and p.next_offset = g.before
       returning p.partition
     ), done as (select partition from added union all select partition from moved)
     select (select array_agg(partition) from done) as done, ${foundNow(tables)}`,
    [
      topic,
      positions.map(({ partition }) => partition),
      positions.map(({ nextOffset }) => nextOffset.toString()),
      positions.map(({ mark }) => mark),
      positions.map(({ partition }) => written.get(partition)?.nextOffset.toString() ?? null),
      new Date(currentAtMs),
      epochs.current,
    ],
  );
  requireFound(rows[0], applying);
  // Of a writer who came in between the look and the write.
  const done = new Set(rows[0]?.done ?? []);
  const lost = positions.find(({ partition }) => !done.has(partition))?.partition;
  if (lost !== undefined) throw anotherWriter(tables.state, lost, written.get(lost), undefined);
}

async function confirm(client: pg.PoolClient, atMs: number, holding: Holding): Promise<void> {
  const { tables, topic } = holding;
  const { rows } = await client.query<FoundNow>(
    `with confirmed as (update ${tables.positions} set current_at = $2 where topic = $1)
     select ${foundNow(tables)}`,
    [topic, new Date(atMs)],
  );
  requireFound(rows[0], holding);
}

/**
 * @throws ConsumerError STATE_UNREADABLE naming the record, if a value is what failed, STORE_FAILED naming it, if its key
 * is; else what was thrown.
 */
async function namingRecord(
  pool: StorePool,
  thrown: unknown,
  { entries }: StateBatch,
  topic: string,
): Promise<never> {
  if (isTooLong(thrown)) throw keyTooLong(entries, topic, thrown);
  if (!isRefusedValue(thrown)) throw thrown;
  const entry = await refusedEntry(pool, entries, topic);
  throw entry ? notJson(entry, topic, thrown) : thrown;
}

/** Looks once more, under a lock: nothing but our own tables is ever emptied. */
async function clearTables(client: pg.PoolClient, tables: StateTables): Promise<void> {
  await client.query(
    `lock table only ${tables.state}, only ${tables.positions} in access exclusive mode`,
  );
  const { rows } = await client.query<{ are_ours: boolean }>(
    `select ${areOursCondition(tables)} as are_ours`,
  );
  if (rows[0]?.are_ours !== true) throw notOursAnyMore(tables);
  await client.query(`truncate only ${tables.state}, only ${tables.positions}`);
}

async function inTransaction(
  pool: StorePool,
  work: (client: pg.PoolClient) => Promise<void>,
  { waitsForDisk = false }: { readonly waitsForDisk?: boolean } = {},
): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that breaks between two statements says so here; the next statement fails with it.
  const breaks = (error: Error) => (broken = error);
  client.on('error', breaks);
  try {
    await client.query(`begin; set local synchronous_commit = ${waitsForDisk ? 'on' : 'off'}`);
    await work(client);
    await client.query('commit');
  } catch (thrown) {
    await client.query('rollback').catch((error: unknown) => {
      broken = error instanceof Error ? error : new Error(String(error));
    });
    throw thrown;
  } finally {
    client.off('error', breaks);
    client.release(broken);
  }
}
