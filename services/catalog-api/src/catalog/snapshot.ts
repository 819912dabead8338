import type { TransactionTimeouts } from '@outbound/outbox';
import { gt, isNull, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import type { Aggregate } from './aggregate.ts';
import { fromDatabaseError } from './database-errors.ts';
import { settledPosition, type LogPosition } from './log-position.ts';
import { orderById } from './list-order.ts';
import { readPageRows, type PageRows } from './page-rows.ts';

/** Most rows, and bytes of JSON but for the last row, that are read at a time. */
export const snapshotStep = { rows: 500, bytes: 262_144 };

/** Connections for snapshots, which are not those of requests. */
export interface SnapshotSource {
  readonly connect: () => Promise<pg.PoolClient>;
  /** See `CommandContext`. */
  readonly timeouts: () => Promise<TransactionTimeouts | undefined>;
  /** Longest wait for those who write at the beginning. */
  readonly settleMs: number;
}

/** All live entities as they are at one moment, read bit by bit. It holds a connection, and holds back vacuum, until it is closed. */
export interface Snapshot {
  /** See `settledPosition`. */
  readonly from: LogPosition;
  /** The next rows in the order of ids. @throws ApiError */
  readonly readAfter: (id: string | undefined) => Promise<PageRows>;
  /** Gives the connection back; one that is just used is ended. May be called again. */
  readonly close: () => void;
}

/** Opens a snapshot. @throws ApiError */
export async function openSnapshot(
  source: SnapshotSource,
  aggregate: Aggregate,
): Promise<Snapshot> {
  const translated = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work;
    } catch (error) {
      throw fromDatabaseError(error, aggregate);
    }
  };
  const { table } = aggregate;
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
  return {
    from,
    readAfter: (id) =>
      use(() =>
        readPageRows(db, table, {
          from: sql`${table}`,
          where: [isNull(table.deletedAt), ...(id === undefined ? [] : [gt(table.id, id)])],
          order: orderById(table.id),
          without: [],
          limit: snapshotStep.rows,
          maxBytes: snapshotStep.bytes,
        }),
      ),
    close,
  };
}
