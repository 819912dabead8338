import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { copyRows, type StagedRow } from './copy-rows.ts';
import { jsonText } from './json-value.ts';
import { isRefusedValue } from './postgres-error.ts';
import type { StateEntry } from './state-store.ts';

/**
 * From how many rows on a staging table pays: below it, one statement with arrays is quicker, and leaves no trace in
 * the catalog.
 */
const stagedFrom = 500;

/** Where and how states are written. */
export interface StateWriting {
  /** Table, as it stands in statements. */
  readonly state: string;
  readonly topic: string;
  /** False where this role may not make temporary tables: then arrays do, at a third of the speed. */
  readonly canStage: boolean;
}

/**
 * Puts entries into the state table, in the caller's transaction: values are merged, tombstones delete, and neither
 * where the table has a later version.
 * @throws ConsumerError STATE_UNREADABLE naming a record whose value is no text; what `pg` throws, of which
 * `refusedEntry` finds the record.
 */
export async function writeStates(
  client: pg.PoolClient,
  entries: readonly StateEntry[],
  writing: StateWriting,
): Promise<void> {
  const kept: StagedRow[] = [];
  const gone: StateEntry[] = [];
  for (const entry of entries)
    if (entry.value === undefined) gone.push(entry);
    else kept.push({ ...entry, value: jsonText(entry.value, entry, writing.topic) });
  if (kept.length >= stagedFrom && writing.canStage) await mergeStaged(client, kept, writing);
  else if (kept.length > 0) await mergeArrays(client, kept, writing);
  if (gone.length > 0)
    await client.query(
      `delete from ${writing.state} as t using unnest($1::text[], $2::bigint[]) as e (key, version)
       where t.key = e.key and (t.version is null or e.version is null or e.version >= t.version)`,
      [gone.map(({ key }) => key), gone.map(({ version }) => version ?? null)],
    );
}

function mergeFrom(source: string, { state }: StateWriting): string {
  return `insert into ${state} as t (key, version, value) ${source}
    on conflict (key) do update set version = excluded.version, value = excluded.value
    where t.version is null or excluded.version is null or excluded.version >= t.version`;
}

async function mergeStaged(
  client: pg.PoolClient,
  rows: readonly StagedRow[],
  writing: StateWriting,
): Promise<void> {
  await client.query(
    `create temporary table outbound_staging (key text, version bigint, value json) on commit drop`,
  );
  const copy = client.query(
    copyFrom('copy pg_temp.outbound_staging (key, version, value) from stdin (format binary)'),
  );
  const finished = once(copy, 'finish');
  copy.end(copyRows(rows));
  await finished;
  await client.query(
    mergeFrom('select key, version, value from pg_temp.outbound_staging', writing),
  );
}

async function mergeArrays(
  client: pg.PoolClient,
  rows: readonly StagedRow[],
  writing: StateWriting,
): Promise<void> {
  await client.query({
    // Of a longer name Postgres takes 63 bytes, which two tables may share; a pool has one set of names for all.
    name: `upsert ${createHash('sha256').update(writing.state).digest('hex').slice(0, 32)}`,
    text: mergeFrom(
      'select key, version, value::json from unnest($1::text[], $2::bigint[], $3::text[]) as e (key, version, value)',
      writing,
    ),
    values: [
      rows.map(({ key }) => key),
      rows.map(({ version }) => version ?? null),
      rows.map(({ value }) => value.toString()),
    ],
  });
}

/**
 * The first entry whose value Postgres does not take as JSON, after a step that failed so; undefined if it was
 * something else. Asks in halves, outside of any transaction.
 * @throws what `pg` throws.
 */
export async function refusedEntry(
  pool: Pick<pg.Pool, 'query'>,
  entries: readonly StateEntry[],
  topic: string,
): Promise<StateEntry | undefined> {
  let suspects = entries.filter(({ value }) => value !== undefined);
  if (!(await isRefused(pool, suspects, topic))) return undefined;
  while (suspects.length > 1) {
    const half = suspects.slice(0, Math.ceil(suspects.length / 2));
    suspects = (await isRefused(pool, half, topic)) ? half : suspects.slice(half.length);
  }
  return suspects[0];
}

async function isRefused(
  pool: Pick<pg.Pool, 'query'>,
  entries: readonly StateEntry[],
  topic: string,
): Promise<boolean> {
  try {
    await pool.query('select count(value::json) from unnest($1::text[]) as e (value)', [
      entries.map((entry) => entry.value && jsonText(entry.value, entry, topic).toString()),
    ]);
    return false;
  } catch (thrown) {
    if (isRefusedValue(thrown)) return true;
    throw thrown;
  }
}
