import { isEventSql, markHeaders, type EventTypeRegistry } from '@outbound/contract';
import type pg from 'pg';
import { readMoment, setBackMs, type Moment } from './clock-moment.ts';

/** What of the retained outbox is not in every topic that it is routed to. */
export interface Backlog {
  readonly events: number;
  readonly entities: number;
  /** Every event of it was created at or after this, and so is whatever was not yet visible when it was counted. */
  readonly since: Date;
  /** When it was counted. */
  readonly counted: Moment;
  /** About how much log it takes to write it again, bytes. */
  readonly logBytes: number;
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
 * Makes the session's tables: where each event goes, and what has been seen there. Events of other types have no topic: the relay makes
 * dead letters of them.
 */
export async function prepareBacklog(
  session: RecoverySession,
  eventTypes: EventTypeRegistry,
): Promise<void> {
  const routes = [...eventTypes.values()].flatMap(({ name, routes: declared }) =>
    (['C', 'U', 'D', 'S'] as const).flatMap((op) => {
      const taken = declared.filter(({ forms }) => forms[op] !== 'skip');
      // Null: known, and goes nowhere.
      const topics = taken.length === 0 ? [null] : taken.map(({ topic }) => topic);
      return topics.map((topic) => ({ type: name, op, topic }));
    }),
  );
  await session.query(`
    create temp table recover_seen (topic text not null, eid uuid not null);
    create temp table recover_waiting (eid uuid not null, aggregatetype text not null, aggregateid text not null, version bigint not null);
    create temp table recover_torn (aggregatetype text not null, aggregateid text not null);
    create temp table recover_given_up (eid uuid not null);
    create temp table recover_route (type text not null, data_op text not null, topic text)`);
  await session.query(
    'insert into recover_route select * from unnest($1::text[], $2::text[], $3::text[])',
    [routes.map(({ type }) => type), routes.map(({ op }) => op), routes.map(({ topic }) => topic)],
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
 * (I3); so after the highest version of the entity that is in a topic, everything that goes there is missing. Of that version itself
 * (snapshots repeat a version) only what is not there. Each topic is asked for itself: two event types of an entity, or a change and a
 * snapshot, may go to different topics, and what is in one says nothing of another.
 * From its first missing event on, everything of an entity comes again, to all of its topics: a missing version alone would be the last one of a
 * topic that has a later one (I4).
 * What a compacted topic has dropped since counts as missing: an event too many, never one too few. What waits in the dead letters is not missing, and
 * says nothing of what came before it: that went another way.
 */
export async function countBacklog(session: RecoverySession): Promise<Backlog> {
  // Before the rows are looked at: a transaction that is not seen among them was open now, or began later.
  const open = await openSince(session);
  const counted = await readMoment(session);
  await session.query(`
    create temp table recover_published as
      select distinct s.topic, o.id, o.aggregatetype, o.aggregateid, o.version from recover_seen s join outbox o on o.id = s.eid;
    create temp table recover_last as
      select topic, aggregatetype, aggregateid, max(version) as version from recover_published group by 1, 2, 3
      union all
      -- For types that are not known: who knew them published what came before this.
      select '', aggregatetype, aggregateid, max(version) from recover_published group by 2, 3;
    create index on recover_published (id, topic);
    create index on recover_last (aggregatetype, aggregateid, topic);
    analyze recover_published;
    analyze recover_last`);
  const overtaken = await takeOvertaken(session);
  const { rows } = await session.query<{
    events: string;
    entities: string;
    since: Date | null;
    unknown_types: string[] | null;
    log_bytes: string | null;
  }>(
    `select count(*) as events, count(distinct (m.aggregatetype, m.aggregateid)) as entities, min(m.first_at) as since,
       array_agg(distinct m.type) filter (where not m.is_known) as unknown_types,
       -- As it is stored, so nothing is decompressed for it.
       sum(pg_column_size(o.payload) + pg_column_size(o.headers) + ${logBytesPerRow}) as log_bytes
     from (${missingSql}) m join outbox o on o.created_at = m.created_at and o.id = m.id`,
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
    counted,
    logBytes: Number(row?.log_bytes ?? 0),
    unknownTypes: row?.unknown_types ?? [],
    overtaken,
  };
}

/** Log of a row beside its payload and headers: the other columns, and two indexes. */
const logBytesPerRow = 400;

/**
 * Rows of the outbox, each event once, that have to come again. $1: no row before this is looked at. `at`: when it, or one that has to come before it,
 * was created.
 */
const missingSql = `
  select * from (
    select *, bool_or(is_missing) over earlier as is_due, max(first_at) over earlier as at
    from (
      select distinct on (o.id) o.*, o.created_at as first_at, l.version is null or o.version > l.version
        or (o.version = l.version and not exists (select from recover_published p where p.id = o.id and (p.topic = o.topic or o.topic = ''))) as is_missing
      from (
        select id, created_at, aggregatetype, aggregateid, o.type, version, o.data_op, case when r.type is null then '' else r.topic end as topic,
          r.type is not null as is_known
        from outbox o left join recover_route r on r.type = o.type and r.data_op = o.data_op
        where created_at >= $1 and ${isEventSql}
      ) o
      left join recover_last l on l.aggregatetype = o.aggregatetype and l.aggregateid = o.aggregateid and l.topic = o.topic
      -- Null: known, and goes nowhere.
      where o.topic is not null and not exists (select from recover_waiting w where w.eid = o.id)
        and not exists (select from recover_given_up g where g.eid = o.id)
      order by o.id, o.created_at, is_missing desc
    ) each
    window earlier as (partition by aggregatetype, aggregateid order by version, data_op = 'S', first_at rows unbounded preceding)
  ) all_of_them
  where is_due`;

/**
 * Entities of which an event is missing that is older than what waits in their dead letters: it was on its way when its key was parked, and never
 * came. Behind the letters it would come too late (I3). So those letters are taken out of what waits: they are to be given up, and their events
 * come again, from the missing one on; provided that the outbox has all of them. The same where a letter itself never came (`noteWaiting`): its event would be parked behind
 * it, and nobody could redrive what stands behind a letter that is not there.
 */
async function takeOvertaken(session: RecoverySession): Promise<readonly AggregateKey[]> {
  const { rows } = await session.query<{ type: string; id: string }>(
    `with overtaken as (
       select w.aggregatetype, w.aggregateid from recover_waiting w
       join (${missingSql}) m using (aggregatetype, aggregateid)
       group by 1, 2
       having min(m.version) < min(w.version) and bool_and(exists (select from outbox o where o.id = w.eid))
       union
       select t.aggregatetype, t.aggregateid from recover_torn t
       join (${missingSql}) m using (aggregatetype, aggregateid)
       left join recover_waiting w using (aggregatetype, aggregateid)
       group by 1, 2
       having bool_and(w.eid is null or exists (select from outbox o where o.id = w.eid))
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
  from (${missingSql}) m
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
  { since, counted }: Pick<Backlog, 'since' | 'counted'>,
): Promise<Emitted> {
  await session.query(emitMissingSql);
  // What was committed since it was counted may have been created before, by a clock that was set back.
  const earlierMs = setBackMs(counted, await readMoment(session));
  const { rows } = await session.query<{ eid: string | null; outcome: string; events: string }>(
    'select eid, outcome, events from pg_temp.recover_emit_missing($1)',
    [new Date(Math.max(0, since.getTime() - Math.ceil(earlierMs)))],
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
