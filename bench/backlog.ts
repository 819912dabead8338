import type pg from 'pg';
import type { TestPipeline } from '../test/support/test-pipeline.ts';

/** How events are made. */
export interface BacklogShape {
  /** Entities that the events are spread over; a multiple of `sessions`. */
  readonly entities: number;
  readonly payloadBytes: number;
}

export const defaultEntities = 10_000;
const sessions = 2;

/**
 * Event number `n` is change `n / entities + 1` of entity `n % entities`. Its content follows from `n` alone and differs from every
 * other event's, so that bytes of another event, or of none, are found by their hash. The payload is a data-change value cut to
 * size: the relay carries it and never parses it (I5).
 */
const makeEvents = `
create function bench_event(n bigint, entities integer, payload_bytes integer) returns void
language plpgsql as $$
declare
  eid uuid := md5('event ' || n)::uuid;
  entity text := md5('entity ' || n % entities)::uuid::text;
  op text := case when n < entities then 'C' else 'U' end;
  head text := '{"metadata":{"eid":"' || eid || '"},"data_op":"' || op || '","data":{"id":"' || entity
    || '","version":' || n / entities + 1 || ',"text":"';
begin
  insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
  values (eid, 'catalog.product', entity, 'catalog.product-change', n / entities + 1, op,
    (head || rpad('', payload_bytes - length(head) - 3, md5(n::text)) || '"}}')::json);
end $$;
create procedure bench_backlog(events bigint, entities integer, payload_bytes integer, session integer, sessions integer)
language plpgsql as $$
declare n bigint := session;
begin
  while n < events loop
    perform bench_event(n, entities, payload_bytes);
    commit;
    n := n + sessions;
  end loop;
end $$;`;

/** Gives the pipeline's database the functions that make events. Once for each. */
export async function prepareBacklog({ sql }: TestPipeline): Promise<void> {
  await sql.query(makeEvents);
}

/**
 * Commits `events` transactions of one event each, as fast as the server can. An entity belongs to one session, so the order of its
 * commits is the order of its versions. Commits do not wait for the disk while loading.
 */
export async function loadTransactions(
  pipeline: TestPipeline,
  events: number,
  { entities, payloadBytes }: BacklogShape,
): Promise<void> {
  if (entities % sessions !== 0)
    throw new Error(`${entities} entities cannot be shared out to ${sessions} sessions`);
  await Promise.all(
    Array.from({ length: sessions }, async (_, session) => {
      const client = await pipeline.connect();
      try {
        await client.query('set synchronous_commit = off');
        await client.query(
          `call bench_backlog(${events}, ${entities}, ${payloadBytes}, ${session}, ${sessions})`,
        );
      } finally {
        await client.end();
      }
    }),
  );
  await settle(pipeline.sql);
}

/** Commits one transaction of `rows` events. */
export async function loadOneTransaction(
  pipeline: TestPipeline,
  rows: number,
  { entities, payloadBytes }: BacklogShape,
): Promise<void> {
  await pipeline.sql.query(
    `select count(bench_event(n, ${entities}, ${payloadBytes})) from generate_series(0, ${rows} - 1) n`,
  );
  await settle(pipeline.sql);
}

/** What the load left to do is done now and not while somebody is measured. */
async function settle(sql: pg.Client): Promise<void> {
  await sql.query('checkpoint');
}
