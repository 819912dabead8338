import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { ConsumerError } from '../errors.ts';
import {
  digestSql,
  fromPostgresText,
  indexedText,
  isLongSql,
  toPostgresText,
} from '../postgres-text.ts';
import { partitionTaken, type ParkedEvent, type ParkedKeys } from './parked-keys.ts';

/**
 * The statements that make the tables `parked_key` and `parked_owner`, to be put into a migration of the consumer's database; run twice they change nothing.
 * A table of before gets the columns that say where the event is for which a key was parked; its rows know the event's id only. It gets `long_key`, too: keys of more than
 * 1,000 bytes stand there, and `key` has a digest.
 * **Order**: before members of this version start, which could not park without them; older members go on as they did.
 */
export function parkedKeyDdl({ schema = 'public' }: { readonly schema?: string } = {}): string {
  return `create table if not exists ${tableName(schema)} (
  consumer_group text not null,
  topic text not null,
  key text not null,
  first_eid text not null,
  first_partition integer,
  first_offset bigint,
  first_timestamp_ms bigint,
  first_topic_id text,
  long_key text,
  parked_at timestamptz not null default now(),
  primary key (consumer_group, topic, key)
);
alter table ${tableName(schema)} add column if not exists first_partition integer,
  add column if not exists first_offset bigint, add column if not exists first_timestamp_ms bigint,
  add column if not exists first_topic_id text, add column if not exists long_key text;
update ${tableName(schema)} set key = ${digestSql('key')}, long_key = key where ${isLongSql('key')};
create table if not exists ${ownerTable(schema)} (
  consumer_group text not null,
  topic text not null,
  partition integer not null,
  token uuid not null,
  primary key (consumer_group, topic, partition)
);
`;
}

/** Parked keys in Postgres: every member of a group sees them, and a restart forgets none. */
export function createPgParkedKeys(
  pool: pg.Pool,
  { schema = 'public' }: { readonly schema?: string } = {},
): ParkedKeys {
  const table = tableName(schema);
  // Locked until the statement is over: a successor waits for it, and then sees what it has written.
  const owner = `owner as (select from ${ownerTable(schema)}
    where consumer_group = $1 and topic = $2 and partition = $4 and token = $5 for share)`;
  return {
    async list({ group, topic }) {
      const { rows } = await pool.query<{ key: string }>(
        `select coalesce(long_key, key) as key from ${table} where consumer_group = $1 and topic = $2`,
        [group, topic],
      );
      return new Set(rows.map(({ key }) => fromPostgresText(key)));
    },
    async parkedFor({ group, topic }, key) {
      const { rows } = await pool.query<Row>(
        `select first_eid, first_partition, first_offset, first_timestamp_ms, first_topic_id from ${table}
         where consumer_group = $1 and topic = $2 and key = $3`,
        [group, topic, indexedText(key)],
      );
      return rows[0] && eventOf(rows[0]);
    },
    async own({ group, topic }, partition) {
      const token = randomUUID();
      await pool.query(
        `insert into ${ownerTable(schema)} (consumer_group, topic, partition, token) values ($1, $2, $3, $4)
         on conflict (consumer_group, topic, partition) do update set token = excluded.token`,
        [group, topic, partition, token],
      );
      return { partition, token };
    },
    async park(scope, key, { eid, place }, mine) {
      const [indexed, whole] = [indexedText(key), toPostgresText(key)];
      // The rule of `isBefore`; false where either has no place.
      const { rows } = await pool.query<{ owners: string }>(
        `with ${mine ? owner : unfenced}, written as (
         insert into ${table} as parked
           (consumer_group, topic, key, first_eid, first_partition, first_offset, first_timestamp_ms,
            first_topic_id, long_key)
         select $1, $2, $3, $6, $7::integer, $8::bigint, $9::bigint, $10, $11 from owner
         on conflict (consumer_group, topic, key) do update set first_eid = excluded.first_eid,
           first_offset = excluded.first_offset, first_timestamp_ms = excluded.first_timestamp_ms,
           first_topic_id = excluded.first_topic_id
         where excluded.first_partition = parked.first_partition and excluded.first_offset < parked.first_offset
           and coalesce(excluded.first_topic_id = parked.first_topic_id,
             excluded.first_timestamp_ms <= parked.first_timestamp_ms))
         select count(*) as owners from owner`,
        [
          ...[scope.group, scope.topic, indexed, mine?.partition, mine?.token, toPostgresText(eid)],
          ...[
            place?.partition,
            place?.offset,
            place && bigintOf(place.timestampMs),
            place?.topicId,
          ],
          indexed === whole ? null : whole,
        ],
      );
      if (mine && rows[0]?.owners === '0') throw partitionTaken(scope, mine);
    },
    async release(scope, key, mine) {
      const { rows } = await pool.query<{ owners: string; released: string }>(
        `with ${mine ? owner : unfenced}, released as (
           delete from ${table} using owner
           where consumer_group = $1 and topic = $2 and key = $3 returning key)
         select (select count(*) from owner) as owners, (select count(*) from released) as released`,
        [scope.group, scope.topic, indexedText(key), mine?.partition, mine?.token],
      );
      if (mine && rows[0]?.owners === '0') throw partitionTaken(scope, mine);
      return rows[0]?.released === '1';
    },
  };
}

/** Of whoever says of no partition that it is theirs. */
const unfenced = 'owner as (select where $4::integer is null and $5::uuid is null)';

interface Row {
  readonly first_eid: string;
  readonly first_partition: number | null;
  readonly first_offset: string | null;
  readonly first_timestamp_ms: string | null;
  readonly first_topic_id: string | null;
}

function eventOf(row: Row): ParkedEvent {
  const { first_eid, first_partition: partition, first_offset, first_timestamp_ms } = row;
  const isPlaced = partition !== null && first_offset !== null && first_timestamp_ms !== null;
  return {
    eid: fromPostgresText(first_eid),
    place: isPlaced
      ? {
          topicId: row.first_topic_id ?? undefined,
          partition,
          offset: BigInt(first_offset),
          timestampMs: Number(first_timestamp_ms),
        }
      : undefined,
  };
}

/** A number has no last digits at the end of 64 bits, so the last time of a record would be one too many there. */
function bigintOf(timestampMs: number): bigint {
  const most = 2n ** 63n - 1n;
  const whole = BigInt(timestampMs);
  return whole > most ? most : whole;
}

function tableName(schema: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new ConsumerError(
      'SUBSCRIPTION_INVALID',
      `the schema "${schema}" of parked_key must be of lower-case letters, digits and "_"`,
    );
  return `${schema}.parked_key`;
}

function ownerTable(schema: string): string {
  return tableName(schema).replace(/parked_key$/, 'parked_owner');
}
