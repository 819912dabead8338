import type pg from 'pg';
import { expect } from 'vitest';
import type { Reply } from './http-client.ts';

/** Status, type and form of the problem; and that it tells nothing about the inside. */
export function expectProblem(reply: Reply, status: number, type: string): void {
  expect({ status: reply.status, type: reply.json['type'] }, reply.text.slice(0, 500)).toEqual({
    status,
    type: `/problems/${type}`,
  });
  expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  expect(reply.headers.get('x-flow-id')).toBe(reply.json['flow_id']);
  expect(reply.json['status']).toBe(status);
  expect(reply.json['title']).toEqual(expect.any(String));
  expect(reply.json['instance']).toMatch(/^urn:flow:/);
  expect(reply.text).not.toMatch(/FST_ERR|node_modules|\bat \S+:\d+|select |insert |\$1|drizzle/i);
}

/** Everything that the API can write, as one text to compare. */
export async function tablesAsText(admin: pg.Client): Promise<string> {
  const { rows } = await admin.query<{ all: string }>(`
    select json_build_object(
      'product', (select json_agg(p order by id) from product p),
      'category', (select json_agg(c order by id) from category c),
      'outbox', (select json_agg(o order by id) from outbox o),
      'keys', (select json_agg(k order by scope, key) from idempotency_key k))::text as all`);
  return rows[0]?.all ?? '';
}
