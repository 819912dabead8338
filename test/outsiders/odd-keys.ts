import type { TestPipeline } from '../support/test-pipeline.ts';

/** Keys of every length of murmur2's tail and of bytes above 0x7f, where implementations that mix up signs differ. */
export const oddKeys = [
  'a',
  'ab',
  'abc',
  'abcd',
  'abcde',
  'Größe 42',
  '鞋',
  '👟👟',
  'עברית',
  'with space and, comma',
  '/path?x=1&y=ü',
  'x'.repeat(255),
  ...Array.from({ length: 30 }, (_, index) => `ÿ-${index}`),
];

/** Writes one event for each odd key, as a service with such ids would. */
export async function writeOddKeys({ sql }: TestPipeline): Promise<void> {
  for (const key of oddKeys)
    await sql.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values (gen_random_uuid(), 'catalog.category', $1, 'catalog.category-change', 1, 'C', $2)`,
      [key, JSON.stringify({ data: { id: key, version: 1 } })],
    );
}
