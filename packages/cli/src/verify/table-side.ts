import type { Row, StoredAggregate } from '@outbound/outbox';
import { asc, gt, inArray } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import { CliError } from '../exit-codes.ts';
import { contentHash, type ContentHash } from './content-hash.ts';
import type { RowState } from './entity-states.ts';
import { dataOf } from './read-record.ts';
import type { EntityVersion, KeyedRow } from './verify-ports.ts';

const pageLength = 2_000;

/**
 * The table of one aggregate, read over one connection: whoever needs that the server did not crash between two
 * questions asks both here.
 * The process has to have called `createDatabase`, so that json columns come as their text.
 */
export class TableSide {
  readonly #client: pg.ClientBase;
  readonly #aggregate: StoredAggregate;
  readonly #signal: AbortSignal;

  constructor(client: pg.ClientBase, aggregate: StoredAggregate, signal: AbortSignal) {
    this.#client = client;
    this.#aggregate = aggregate;
    this.#signal = signal;
  }

  /** Every row in id order, page by page, each page a statement of its own: nothing holds back vacuum. */
  async scan(onRows: (rows: readonly KeyedRow[]) => void): Promise<void> {
    const { table } = this.#aggregate;
    const db = drizzle(this.#client as pg.Client);
    let last: string | undefined;
    for (;;) {
      this.#signal.throwIfAborted();
      const rows: Row[] = await db
        .select()
        .from(table)
        .where(last === undefined ? undefined : gt(table.id, last))
        .orderBy(asc(table.id))
        .limit(pageLength);
      const keyed = rows.map((row) => this.#keyed(row));
      if (keyed.length > 0) onRows(keyed);
      if (keyed.length < pageLength) return;
      last = keyed.at(-1)?.id;
    }
  }

  /** These rows as they are now; of an id without a row nothing. */
  async read(ids: readonly string[]): Promise<ReadonlyMap<string, RowState>> {
    this.#signal.throwIfAborted();
    const { table } = this.#aggregate;
    const rows: Row[] = await drizzle(this.#client as pg.Client)
      .select()
      .from(table)
      .where(inArray(table.id, [...ids]));
    return new Map(rows.map((row) => this.#keyed(row)).map(({ id, row }) => [id, row]));
  }

  /**
   * Hashes of `data` of the outbox rows of these versions, as far as they are kept. A deletion has none: its record is
   * a tombstone.
   */
  async outboxHashes(
    versions: readonly EntityVersion[],
  ): Promise<ReadonlyMap<string, readonly ContentHash[]>> {
    const { rows } = await this.#client.query<{ id: string; payload: string }>(
      `select aggregateid as id, payload::text as payload from outbox
       where type = $1 and data_op <> 'D'
         and (aggregateid, version) in (select * from unnest($2::text[], $3::bigint[]))`,
      [
        this.#aggregate.eventType.name,
        versions.map(({ id }) => id),
        versions.map(({ version }) => version),
      ],
    );
    const hashes = new Map<string, ContentHash[]>();
    for (const { id, payload } of rows) {
      const known = hashes.get(id) ?? [];
      known.push(contentHash(dataOf(Buffer.from(payload))));
      hashes.set(id, known);
    }
    return hashes;
  }

  #keyed(row: Row): KeyedRow {
    const { id, version } = row;
    try {
      if (typeof id !== 'string' || typeof version !== 'number') throw new TypeError('no id');
      return row['deletedAt'] === null
        ? {
            id,
            row: { form: 'live', version, hash: contentHash(this.#aggregate.toEntity(row)) },
          }
        : { id, row: { form: 'deleted', version } };
    } catch (cause) {
      throw new CliError(
        'ROW_UNREADABLE',
        `the row ${String(id)} of ${this.#aggregate.name} is no entity that could be published; it was written by other means than the API: correct it, then verify again`,
        { cause },
      );
    }
  }
}
