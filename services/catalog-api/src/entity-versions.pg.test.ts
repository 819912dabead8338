import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';

/* What the tables themselves hold of an entity's count of versions, whoever writes. */

let catalog: TestCatalog;
/** As the role that the API has. */
let api: pg.Pool;
beforeAll(async () => {
  catalog = await startCatalog();
  api = new pg.Pool({ connectionString: catalog.apiUrl });
});
afterAll(async () => {
  await api.end();
  await catalog.close();
});

const refused = { code: '23001' };
const tables = [
  ['product', 'sku', "'DRAFT'"],
  ['category', 'code', undefined],
] as const;

describe.each(tables)('a %s', (table, key, status) => {
  const insert = async (version: number, deleted = false) => {
    const id = uuidv7();
    const code = `c-${id}`;
    const columns = `id, ${key}, name, version, deleted_at${status ? ', status' : ''}`;
    await api.query(
      `insert into ${table} (${columns}) values ($1, $2, 'N', $3, case when $4 then now() end${status ? `, ${status}` : ''})`,
      [id, code, version, deleted],
    );
    return id;
  };
  const update = (id: string, changes: string) =>
    api.query(`update ${table} set ${changes} where id = $1`, [id]);

  it.each([0, 2, 7])('is not taken with %i as its first version', async (version) => {
    await expect(insert(version)).rejects.toMatchObject(
      version === 0 ? { code: expect.stringMatching(/^23/) as string } : refused,
    );
  });

  it('is changed to the next version only, and keeps its id', async () => {
    const id = await insert(1);
    for (const changes of [
      'version = 3',
      'version = 1',
      "name = 'O'",
      'version = 0',
      "id = gen_random_uuid(), version = 2, name = 'O'",
    ])
      await expect(update(id, changes), changes).rejects.toMatchObject(refused);
    expect((await update(id, "version = 2, name = 'O'")).rowCount).toBe(1);
    await expect(update(id, 'version = 1')).rejects.toMatchObject(refused);
  });

  it('that is deleted keeps its version while it stays so, and counts on when it comes back', async () => {
    const id = await insert(1);
    await update(id, 'version = 2, deleted_at = now()');
    await update(id, "name = 'purged'");
    await expect(update(id, 'deleted_at = null')).rejects.toMatchObject(refused);
    await expect(update(id, "deleted_at = '2020-01-01'")).rejects.toMatchObject(refused);
    await update(id, 'version = 3, deleted_at = null');
  });

  it('is not deleted by the role of the api, whose rows go with their count', async () => {
    const id = await insert(1);
    await expect(api.query(`delete from ${table} where id = $1`, [id])).rejects.toMatchObject({
      code: '42501',
    });
  });
});
