import { randomUUID } from 'node:crypto';
import { recordHeader } from '@outbound/contract';
import pg from 'pg';

/** What a caller sends, as far as the comparison needs it. */
export interface ProductInput {
  readonly sku?: string;
  readonly name?: string;
  readonly price?: { readonly amount: number; readonly currency: string };
}

/** A change that was committed, ready to be sent. */
export interface Change {
  readonly id: string;
  readonly version: number;
  /** The record value. */
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a command did. */
export type Outcome =
  | { readonly kind: 'changed'; readonly change: Change }
  | { readonly kind: 'unchanged'; readonly version: number }
  | { readonly kind: 'stale' }
  | { readonly kind: 'taken' }
  | { readonly kind: 'unknown' };

interface Row {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly price_amount: string | null;
  readonly price_currency: string | null;
  readonly version: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/**
 * The commands of the old path, each in one transaction, versions counted under the row lock as in the new one. It also writes the
 * change into the outbox table: nobody reads that there, it is the journal by which the checker knows what was committed.
 */
export class ProductStore {
  readonly #pool: pg.Pool;

  constructor(databaseUrl: string) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
    // A connection that breaks while nobody uses it is replaced.
    this.#pool.on('error', () => undefined);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async version(id: string): Promise<number | undefined> {
    const { rows } = await this.#pool.query<Row>('select version from product where id = $1', [id]);
    return rows[0] ? Number(rows[0].version) : undefined;
  }

  async create({ sku, name, price }: ProductInput): Promise<Outcome> {
    return this.#inTransaction(async (client) => {
      const { rows } = await client.query<Row>(
        `insert into product (id, sku, name, price_amount, price_currency, status, version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, 'ACTIVE', 1, now(), now())
         on conflict (sku) where deleted_at is null do nothing returning *`,
        [randomUUID(), sku, name, price?.amount, price?.currency],
      );
      const [row] = rows;
      return row ? { kind: 'changed', change: await journal(client, row, 'C') } : { kind: 'taken' };
    });
  }

  async patch(id: string, expected: number, { price }: ProductInput): Promise<Outcome> {
    return this.#inTransaction(async (client) => {
      const { rows } = await client.query<Row>('select * from product where id = $1 for update', [
        id,
      ]);
      const [row] = rows;
      if (!row) return { kind: 'unknown' };
      if (Number(row.version) !== expected) return { kind: 'stale' };
      if (Number(row.price_amount) === price?.amount)
        return { kind: 'unchanged', version: expected };
      const updated = await client.query<Row>(
        'update product set price_amount = $2, version = version + 1, updated_at = now() where id = $1 returning *',
        [id, price?.amount],
      );
      const [after] = updated.rows;
      return after
        ? { kind: 'changed', change: await journal(client, after, 'U') }
        : { kind: 'unknown' };
    });
  }

  async #inTransaction(work: (client: pg.PoolClient) => Promise<Outcome>): Promise<Outcome> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      const outcome = await work(client);
      await client.query('commit');
      client.release();
      return outcome;
    } catch (error) {
      // A connection in an unknown state is not used again.
      client.release(true);
      throw error;
    }
  }
}

async function journal(client: pg.PoolClient, row: Row, dataOp: 'C' | 'U'): Promise<Change> {
  const eid = randomUUID();
  const version = Number(row.version);
  const value = JSON.stringify({
    metadata: {
      eid,
      event_type: 'catalog.product-change',
      occurred_at: row.updated_at.toISOString(),
      version: '1.0.0',
    },
    data_op: dataOp,
    data_type: 'catalog.product',
    data: {
      id: row.id,
      sku: row.sku,
      name: row.name,
      price: { amount: Number(row.price_amount), currency: row.price_currency },
      attributes: {},
      status: 'ACTIVE',
      version,
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
    },
  });
  await client.query(
    `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
     values ($1, 'catalog.product', $2, 'catalog.product-change', $3, $4, $5)`,
    [eid, row.id, version, dataOp, value],
  );
  const headers = { [recordHeader.id]: eid, [recordHeader.dataOp]: dataOp };
  return { id: row.id, version, value, headers };
}
