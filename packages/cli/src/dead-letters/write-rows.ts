import type { OutboxRowText } from '@outbound/schemas';
import type pg from 'pg';

/** Rows of one transaction. */
export const rowsAtOnce = 200;

/**
 * Writes rows into the outbox, in their order, all in one transaction. **Order**: what is written in one call comes
 * behind what calls before it have written.
 */
export async function writeOutboxRows(
  db: Pick<pg.Pool, 'query'>,
  rows: readonly OutboxRowText[],
): Promise<void> {
  const column = (name: keyof OutboxRowText) => rows.map((row) => row[name]);
  await db.query(
    `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
     select id, aggregatetype, aggregateid, type, version, data_op, payload::json, headers::json
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[])
       with ordinality as row (id, aggregatetype, aggregateid, type, version, data_op, payload, headers, place)
     order by place`,
    [
      column('id'),
      column('aggregatetype'),
      column('aggregateid'),
      column('type'),
      column('version'),
      column('data_op'),
      column('payload'),
      column('headers'),
    ],
  );
}
