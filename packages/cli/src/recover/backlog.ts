import { isEventSql, markHeaders, type EventTypeRegistry } from '@outbound/schemas';
import type pg from 'pg';

/** What of the retained outbox is not in every topic that it is routed to. */
export interface Backlog {
  readonly events: number;
  readonly entities: number;
  /** Every event of it was created at or after this, and so is whatever was not yet visible when it was counted. */
  readonly since: Date;
  /** Event types that are not known here, and of which something is missing. */
  readonly unknownTypes: readonly string[];
  /** Keys whose dead letters are to be given up, since an event before them is missing. */
  readonly overtaken: readonly AggregateKey[];
}

/** What a key is parked by. */
export interface AggregateKey {
  readonly aggregateType: string;
  readonly aggregateId: string;
}

/** A session in which the tables of a recovery live; they are gone with it. */
export type RecoverySession = pg.ClientBase;

/**
 * Makes the session's tables: the routes of each event type, and what has been seen in the topics. Events of other types have no topic: the relay makes
 * dead letters of them.
 */
export async function prepareBacklog(
  session: RecoverySession,
  eventTypes: EventTypeRegistry,
): Promise<void> {
  const routes = [...eventTypes.values()].flatMap((eventType) =>
    (['C', 'U', 'D', 'S'] as const).map((op) => ({
      type: eventType.name,
      op,
      topics: eventType.routes.filter(({ forms }) => forms[op] !== 'skip').length,
    })),
  );
  await session.query(`
    create temp table recover_seen (topic text not null, eid uuid not null);
    create temp table recover_waiting (eid uuid not null, aggregatetype text not null, aggregateid text not null, version bigint not null);
    create temp table recover_route (type text not null, data_op text not null, topics integer not null)`);
  await session.query(
    'insert into recover_route select * from unnest($1::text[], $2::text[], $3::integer[])',
    [
      routes.map(({ type }) => type),
      routes.map(({ op }) => op),
      routes.map(({ topics }) => topics),
    ],
  );
}

/** False for an id that is none of an outbox. */
export function isOurs(eid: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(eid);
}

/** Notes events that were found in a topic. An id that is none of ours is left out. */
export async function noteSeen(
  session: RecoverySession,
  topic: string,
  eids: readonly string[],
): Promise<void> {
  const ours = eids.filter(isOurs);
  if (ours.length > 0)
    await session.query('insert into recover_seen select $1, unnest($2::uuid[])', [topic, ours]);
}

/**
 * Since when a transaction may be open that nobody sees yet: before it, the outbox is complete. Undefined if the server
 * does not show that.
 */
async function openSince(session: RecoverySession): Promise<Date | undefined> {
  const { rows } = await session.query<{ since: Date | null }>(`
    select case when pg_has_role('pg_read_all_stats', 'usage') and not exists (select from pg_prepared_xacts where database = current_database())
      and not exists (select from pg_stat_activity where datname = current_database() and state = 'disabled')
      then (select least(min(xact_start), clock_timestamp()) from pg_stat_activity where datname = current_database())
    end as since`);
  return rows[0]?.since ?? undefined;
}

/**
 * Counts what is missing, after everything that the topics hold was noted.
 *
 * Per entity and topic the published events are the first ones in order of versions, because a lane is written in order
 * (I3); so after the highest version
 * that is in all of its topics everything has to come again. Of that version itself (snapshots repeat a version) only
 * what is not in all of them.
 * What a compacted topic has dropped since counts as missing: an event too many, never one too few. What waits in the dead letters is not missing, and
 * says nothing of what came before it: that went another way.
 */
export async function countBacklog(session: RecoverySession): Promise<Backlog> {
  // Before the rows are looked at: a transaction that is not seen among them was open now, or began later.
  const open = await openSince(session);
  await session.query(`
    create temp table recover_complete as
      select o.id, o.aggregatetype, o.aggregateid, o.version
      from (select eid, count(distinct topic) as topics from recover_seen group by eid) s
      join outbox o on o.id = s.eid
      join recover_route r on r.type = o.type and r.data_op = o.data_op
      where s.topics >= r.topics;
    create temp table recover_done as
      select aggregatetype, aggregateid, max(version) as version from recover_complete group by 1, 2;
    create index on recover_complete (id);
    create index on recover_done (aggregatetype, aggregateid);
    analyze recover_complete;
    analyze recover_done`);
  const overtaken = await takeOvertaken(session);
  const { rows } = await session.query<{
    events: string;
    entities: string;
    since: Date | null;
    unknown_types: string[] | null;
  }>(
    `select count(*) as events, count(distinct (aggregatetype, aggregateid)) as entities, min(first_at) as since,
       array_agg(distinct type) filter (where not is_known) as unknown_types
     from (${missingSql}) missing`,
    [new Date(0)],
  );
  const row = rows[0];
  const oldest = await session.query<{ at: Date | null }>(
    'select min(created_at) as at from outbox',
  );
  const bounds = [row?.since, open ?? oldest.rows[0]?.at ?? new Date(0)].filter(
    (each) => each instanceof Date,
  );
  return {
    events: Number(row?.events),
    entities: Number(row?.entities),
    // One more: the server knows microseconds.
    since: new Date(Math.max(0, Math.min(...bounds.map((each) => each.getTime())) - 1)),
    unknownTypes: row?.unknown_types ?? [],
    overtaken,
  };
}

/** Rows of the outbox, each event once, that are not in all of their topics. $1: no row before this is looked at. */
const missingSql = `
  select o.*, r.type is not null as is_known from (
    select distinct on (id) id, created_at as first_at, created_at, aggregatetype, aggregateid, type, version, data_op
    from outbox where created_at >= $1 and ${isEventSql} order by id, created_at
  ) o
  left join recover_route r on r.type = o.type and r.data_op = o.data_op
  left join recover_done d on d.aggregatetype = o.aggregatetype and d.aggregateid = o.aggregateid
  where coalesce(r.topics, 1) > 0 and (d.version is null or o.version > d.version
    or (o.version = d.version and not exists (select from recover_complete c where c.id = o.id)))
    and not exists (select from recover_waiting w where w.eid = o.id)`;

/**
 * Entities of which an event is missing that is older than what waits in their dead letters: it was on its way when its key was parked, and never
 * came. Behind the letters it would come too late (I3). So those letters are taken out of what waits: they are to be given up, and their events
 * come again, from the missing one on; provided that the outbox has all of them.
 */
async function takeOvertaken(session: RecoverySession): Promise<readonly AggregateKey[]> {
  const { rows } = await session.query<{ type: string; id: string }>(
    `with overtaken as (
       select w.aggregatetype, w.aggregateid from recover_waiting w
       join (${missingSql}) m using (aggregatetype, aggregateid)
       group by 1, 2
       having min(m.version) < min(w.version) and bool_and(exists (select from outbox o where o.id = w.eid))
     ), taken as (
       delete from recover_waiting w using overtaken o
       where w.aggregatetype = o.aggregatetype and w.aggregateid = o.aggregateid
     )
     select aggregatetype as type, aggregateid as id from overtaken`,
    [new Date(0)],
  );
  return rows.map(({ type, id }) => ({ aggregateType: type, aggregateId: id }));
}

/**
 * A dead letter that was on its way again comes without its mark: the relay leaves out a letter that was dealt with, and
 * this one is in no topic.
 */
const unmarkedSql = `case when position('"${markHeaders.redrive}":' in o.headers::text) = 0 then o.headers
    else (o.headers::jsonb - '${markHeaders.redrive}')::json end as headers`;

const columns = 'id, aggregatetype, aggregateid, type, version, data_op, payload, headers';

/**
 * The missing rows, in an order in which each entity's versions rise, and apart from that in the order in which they
 * were created.
 */
const orderedSql = `
  select ${columns
    .split(', ')
    .map((column) => (column === 'headers' ? unmarkedSql : `o.${column}`))
    .join(', ')}
  from (
    select *, max(first_at) over (
      partition by aggregatetype, aggregateid order by version, data_op = 'S', first_at rows unbounded preceding
    ) as at
    from (${missingSql}) missing
  ) m
  join outbox o on o.created_at = m.created_at and o.id = m.id
  order by m.at, m.version, m.data_op = 'S', m.first_at`;

/** What became of the missing events. */
export interface Emitted {
  readonly emitted: number;
  /** Of these the ids of those of which headers had to be left out: no relay could have published it. */
  readonly mended: readonly string[];
  /** Ids of those that the outbox does not take (any more), so that they are left out. */
  readonly refused: readonly string[];
}

/**
 * Writes every missing event into the outbox once more, as it is: same id, same bytes. Old rows may break a check that
 * is younger than they are: a header that is no text is left out then, and what the outbox does not take even so is
 * named, and left out. Order: in a transaction.
 */
export async function emitMissingAgain(
  session: RecoverySession,
  { since }: Pick<Backlog, 'since'>,
): Promise<Emitted> {
  await session.query(emitMissingSql);
  const { rows } = await session.query<{ eid: string | null; outcome: string; events: string }>(
    'select eid, outcome, events from pg_temp.recover_emit_missing($1)',
    [since],
  );
  const idsOf = (outcome: string): string[] =>
    rows.flatMap((row) => (row.outcome === outcome ? (row.eid ?? []) : []));
  const emitted = rows.reduce((sum, { events }) => sum + Number(events), 0);
  return { emitted, mended: idsOf('mended'), refused: idsOf('refused') };
}

/**
 * All at once, or row by row if one of them is refused. A function of this session, gone with it: an error that leaves
 * a statement takes the session's temporary slot away, even behind a savepoint, and one that is caught here does not.
 */
const emitMissingSql = `
create or replace function pg_temp.recover_emit_missing(since timestamptz)
  returns table (eid uuid, outcome text, events bigint)
  language plpgsql
as $$
declare
  missing record;
  texts json;
begin
  begin
    insert into public.outbox (${columns}) ${orderedSql.replaceAll('$1', 'since')};
    get diagnostics events = row_count;
    outcome := 'written';
    return next;
    return;
  exception when check_violation or untranslatable_character then
    null;
  end;
  for missing in ${orderedSql.replaceAll('$1', 'since')}
  loop
    eid := missing.id;
    outcome := 'written';
    events := 1;
    begin
      insert into public.outbox (${columns})
      values (missing.id, missing.aggregatetype, missing.aggregateid, missing.type, missing.version, missing.data_op,
        missing.payload, missing.headers);
    exception when check_violation or untranslatable_character then
      outcome := 'mended';
      begin
        begin
          select coalesce(json_object_agg(key, value) filter (where json_typeof(value) = 'string'), '{}') into texts
          from json_each(missing.headers) as header (key, value);
        exception when untranslatable_character then
          -- A NUL in one of them: Postgres cannot take them apart.
          texts := '{}';
        end;
        insert into public.outbox (${columns})
        values (missing.id, missing.aggregatetype, missing.aggregateid, missing.type, missing.version, missing.data_op,
          missing.payload, texts);
      exception when check_violation or untranslatable_character then
        outcome := 'refused';
        events := 0;
      end;
    end;
    return next;
  end loop;
end
$$`;
