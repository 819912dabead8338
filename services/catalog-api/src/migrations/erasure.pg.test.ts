import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { createDatabase } from '@outbound/outbox';
import { categoryTable, productTable } from '@outbound/schemas';
import { eq } from 'drizzle-orm';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Aggregate } from '../catalog/aggregate.ts';
import { categoryAggregate } from '../categories/category-aggregate.ts';
import { productAggregate } from '../products/product-aggregate.ts';
import { migrateDatabase } from './migrate-database.ts';

describe.each<PostgresMajor>([18, 15])('erasure on Postgres %i', (major) => {
  let server: PostgresServer;
  let admin: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('catalog');
    await migrateDatabase({ databaseUrl, directory: 'migrations' });
    admin = new pg.Pool({ connectionString: databaseUrl });
  });
  afterAll(async () => {
    await admin?.end();
    await server?.close();
  });

  test('leaves of a row what the purge of deleted entities leaves, with the next version', async () => {
    const db = createDatabase(admin);
    const id = uuidv7();
    const category = { id, code: 'a', name: 'a', description: 'a', version: 1 };
    await db.insert(categoryTable).values(category);
    const product = { id, sku: 'A', name: 'a', description: 'a', brand: 'a', version: 1 };
    await db.insert(productTable).values({
      ...{ ...product, category: 'a', priceAmount: '1', priceCurrency: 'EUR', status: 'ACTIVE' },
      attributes: { a: 'a' },
    });
    for (const aggregate of [productAggregate as Aggregate, categoryAggregate as Aggregate]) {
      const { table, name } = aggregate;
      const erased = await admin.query(`select ${name}_erase($1) as version`, [id]);
      expect(erased.rows).toEqual([{ version: '2' }]);
      const [row] = await db.select().from(table).where(eq(table.id, id));
      expect(row, name).toMatchObject({
        ...aggregate.toRow(aggregate.purged),
        version: 2,
        deletedAt: expect.any(Date) as Date,
        purgedAt: expect.any(Date) as Date,
      });
    }
    const unknown = await admin.query('select product_erase($1) as version', [uuidv7()]);
    expect(unknown.rows).toEqual([{ version: null }]);
  });

  test('takes the older events of one deleted entity, and no others; not before every reader has confirmed them', async () => {
    const write = (aggregate: string, id: string, version: number, dataOp: string) =>
      admin.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
         values (gen_random_uuid(), $1, $2, 'e', $3, $4, '{}')`,
        [aggregate, id, version, dataOp],
      );
    for (const [aggregate, id] of [
      ['t', 'mine'],
      ['t', 'another'],
      ['u', 'mine'],
    ] as const) {
      await write(aggregate, id, 1, 'C');
      await write(aggregate, id, 2, 'U');
    }
    await write('t', 'mine', 3, 'D');
    await write('t', 'mine', 4, 'C');
    const forget = async (below: number) =>
      (
        await admin.query<{ forgotten: string; waits_for: string | null }>(
          "select * from outbox_forget('t', 'mine', $1, $2)",
          [below, end],
        )
      ).rows[0];
    const { rows } = await admin.query<{ end: string }>(
      'select pg_current_wal_insert_lsn() as end',
    );
    const end = rows[0]?.end;
    expect(await forget(3)).toMatchObject({
      forgotten: '0',
      waits_for: 'there is no slot, so nobody has confirmed anything',
    });
    await admin.query("select pg_create_logical_replication_slot('reader', 'pgoutput')");
    await admin.query("select pg_replication_slot_advance('reader', pg_current_wal_lsn())");
    for (const [below, why] of [
      [2, 'no deletion'],
      [4, 'no deletion'],
    ] as const)
      await expect(forget(below), why).rejects.toMatchObject({ code: '55000' });
    expect(await forget(3)).toEqual({ forgotten: '2', waits_for: null });
    const left = await admin.query<{ row: string }>(
      "select aggregatetype || ' ' || aggregateid || ' ' || version as row from outbox order by 1",
    );
    expect(left.rows.map(({ row }) => row)).toEqual([
      ...['t another 1', 't another 2', 't mine 3', 't mine 4', 'u mine 1', 'u mine 2'],
    ]);
    await expect(admin.query('delete from outbox')).rejects.toMatchObject({ code: '23001' });
    await admin.query("select pg_drop_replication_slot('reader')");
  });
});
