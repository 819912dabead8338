import { isEventSql } from '@outbound/contract';
import type pg from 'pg';
import type { EventFilter } from './event-filter.ts';
import type { RetainedEvent } from './replay-record.ts';

/** How many events of a type there are. */
export interface TypeCount {
  readonly type: string;
  readonly events: number;
  readonly entities: number;
}

/** Each retained event once, also if a recovery wrote it again; as a condition on the filter's four values. */
const chosenSql = `
  select distinct on (id) id, created_at, aggregatetype, aggregateid, type, version, data_op
  from outbox
  where ${isEventSql} and ($1::text[] is null or aggregateid = any ($1)) and ($2::timestamptz is null or created_at >= $2)
    and ($3::timestamptz is null or created_at < $3) and ($4::text is null or type = $4)
  order by id, created_at`;

/** A view of the outbox at one moment; everything is read in it. */
export class RetainedEvents {
  readonly #client: pg.PoolClient;
  readonly #values: unknown[];
  /** A log position behind every commit that is seen here. */
  readonly walLsn: string;

  private constructor(client: pg.PoolClient, values: unknown[], walLsn: string) {
    this.#client = client;
    this.#values = values;
    this.walLsn = walLsn;
  }

  /** The client stays with it: roll back to end. */
  static async open(
    client: pg.PoolClient,
    { keys, from, to, eventType }: EventFilter,
  ): Promise<RetainedEvents> {
    await client.query('begin isolation level repeatable read read only');
    await client.query("set local timezone = 'UTC'; set local datestyle = 'ISO'");
    // The snapshot is taken first: whatever it sees was in the log when the position is asked for.
    const { rows } = await client.query<{ lsn: string }>(
      'select pg_current_wal_insert_lsn()::text as lsn',
    );
    return new RetainedEvents(client, [keys, from, to, eventType], rows[0]?.lsn ?? '0/0');
  }

  async count(): Promise<readonly TypeCount[]> {
    const { rows } = await this.#client.query<{ type: string; events: string; entities: string }>(
      `select type, count(*) as events, count(distinct aggregateid) as entities from (${chosenSql}) c group by type order by type`,
      this.#values,
    );
    return rows.map(({ type, events, entities }) => ({
      type,
      events: Number(events),
      entities: Number(entities),
    }));
  }

  /** Gives the events in portions; each entity's in order of its versions, apart from that in order of time. */
  async *portions(size: number): AsyncGenerator<readonly RetainedEvent[]> {
    await this.#client.query(
      `declare retained no scroll cursor for
       select o.id, o.aggregateid, o.type, o.version::text as version, o.data_op, o.payload::text as payload, o.headers::text as headers, o.created_at::text as created_at
       from (
         select *, max(created_at) over (
           partition by aggregatetype, aggregateid order by version, data_op = 'S', created_at rows unbounded preceding
         ) as at
         from (${chosenSql}) c
       ) m
       join outbox o on o.created_at = m.created_at and o.id = m.id
       order by m.at, m.version, m.data_op = 'S', m.created_at`,
      this.#values,
    );
    for (;;) {
      const { rows } = await this.#client.query<{
        id: string;
        aggregateid: string;
        type: string;
        version: string;
        data_op: string;
        payload: string;
        headers: string;
        created_at: string;
      }>(`fetch ${Math.floor(size)} from retained`);
      if (rows.length === 0) return;
      yield rows.map((row) => ({
        eid: row.id,
        aggregateId: row.aggregateid,
        type: row.type,
        version: row.version,
        dataOp: row.data_op,
        payload: row.payload,
        headers: row.headers,
        // As the relay writes it: 2026-03-01 12:34:56.123456+00 is 2026-03-01T12:34:56.123456Z.
        createdAt: `${row.created_at.slice(0, 10)}T${row.created_at.slice(11, -3)}Z`,
      }));
    }
  }
}
