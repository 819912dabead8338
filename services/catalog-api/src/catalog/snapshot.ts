import type { TransactionTimeouts } from '@outbound/outbox';
import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import type { Aggregate } from './aggregate.ts';
import { fromDatabaseError } from './database-errors.ts';
import type { ListFilters } from './list-filters.ts';
import { planSnapshot } from './list-plan.ts';
import { settledPosition, type LogPosition } from './log-position.ts';
import { pageOf } from './page-of.ts';
import type { PageRows } from './page-rows.ts';
import { maxLookedAt, readPage } from './read-page.ts';

/** Most rows, and bytes of JSON but for the last row, that are read at a time. */
export const snapshotStep = { rows: 500, bytes: 262_144 };
/** Most rows whose words are made to look at them, at a time: a large one takes some milliseconds. */
const wordsLookedAt = 500;

/** What of the entities is wanted. */
export interface SnapshotRequest {
  readonly filters: ListFilters;
  /** The fields that are wanted; undefined for all. */
  readonly fields: readonly string[] | undefined;
}

/** Some rows of a snapshot. */
export interface SnapshotRows extends Pick<PageRows, 'rows' | 'bytes'> {
  /** Behind which id it goes on, whether there were rows or not; undefined at the end. */
  readonly next: string | undefined;
}

/** Connections for snapshots, which are not those of requests. */
export interface SnapshotSource {
  readonly connect: () => Promise<pg.PoolClient>;
  /** See `CommandContext`. */
  readonly timeouts: () => Promise<TransactionTimeouts | undefined>;
  /** Longest wait for those who write at the beginning. */
  readonly settleMs: number;
}

/** The live entities that filters leave, as they are at one moment, read bit by bit. It holds a connection, and holds back vacuum, until it is closed. */
export interface Snapshot {
  /** See `settledPosition`. */
  readonly from: LogPosition;
  /** The next rows in the order of ids, even none where enough was looked at. @throws ApiError */
  readonly readAfter: (id: string | undefined) => Promise<SnapshotRows>;
  /** Gives the connection back; one that is just used is ended. May be called again. */
  readonly close: () => void;
}

/** Opens a snapshot. @throws ApiError */
export async function openSnapshot(
  source: SnapshotSource,
  aggregate: Aggregate,
  { filters, fields }: SnapshotRequest,
): Promise<Snapshot> {
  const translated = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      throw fromDatabaseError(error, aggregate);
    }
  };
  const timeouts = await translated(source.timeouts());
  const client = await translated(source.connect());
  let isOpen = true;
  let isBusy = false;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    // What was only read has nothing to be committed; a broken connection ends with the transaction.
    if (isBusy) client.release(true);
    else
      client.query('rollback').then(
        () => client.release(),
        () => client.release(true),
      );
  };
  const use = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    isBusy = true;
    try {
      return await translated(work());
    } catch (error) {
      close();
      throw error;
    } finally {
      isBusy = false;
    }
  };
  const from = await use(() => settledPosition(client, aggregate, source.settleMs));
  const local = Object.entries(timeouts ?? {}).map(
    ([name, ms]) => `; set local ${name} = ${Math.round(ms)}`,
  );
  // The first reading takes the snapshot, so behind the position.
  await use(() => client.query(`begin isolation level repeatable read read only${local.join('')}`));
  const db = drizzle(client);
  const plan = planSnapshot(aggregate, filters);
  const isByWords = filters.text !== undefined || filters.attributes.length > 0;
  const size = {
    limit: snapshotStep.rows,
    maxBytes: snapshotStep.bytes,
    fields,
    lookedAt: isByWords ? wordsLookedAt : maxLookedAt,
  };
  return {
    from,
    readAfter: (id) =>
      use(async () => {
        const after = id === undefined ? undefined : { id, key: '' };
        const found = await readPage(db, aggregate, plan, after, size);
        const { rows, next } = pageOf(found, found.end, undefined);
        return { rows, bytes: found.bytes, next: next?.id };
      }),
    close,
  };
}
