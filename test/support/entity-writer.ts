import type pg from 'pg';

/** What one write did, to be compared with what was published. */
export interface Write {
  readonly aggregateId: string;
  readonly version: number;
}

/**
 * Writes outbox rows as the API does: the version is counted under the entity's row lock, and the outbox row is written under it,
 * so the order of commits is the order of versions.
 */
export class EntityWriter {
  readonly #client: pg.Client;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  /** The table that stands for the entities. Once for each database. */
  static async prepare(client: pg.Client): Promise<void> {
    await client.query(`
      create table if not exists entity (id text primary key, version bigint not null, is_deleted boolean not null default false);
      create or replace function write_event(entity_id text, op text, filler integer default 20) returns bigint language plpgsql as $$
      declare v bigint;
      begin
        insert into entity as e (id, version, is_deleted) values (entity_id, 1, op = 'D')
        on conflict (id) do update set version = e.version + 1, is_deleted = (op = 'D') returning version into v;
        insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
        values (gen_random_uuid(), 'catalog.product', entity_id, 'catalog.product-change', v, op,
          format('{"data_op":"%s","data":{"id":"%s","version":%s,"filler":"%s"}}', op, entity_id, v, repeat('x', filler))::json);
        return v;
      end $$;`);
  }

  /** One event in the current transaction, or in one of its own. */
  async write(
    aggregateId: string,
    op: 'C' | 'U' | 'D' | 'S' = 'U',
    fillerBytes = 20,
  ): Promise<Write> {
    const { rows } = await this.#client.query<{ v: string }>(
      'select write_event($1, $2, $3) as v',
      [aggregateId, op, fillerBytes],
    );
    return { aggregateId, version: Number(rows[0]?.v) };
  }
}
