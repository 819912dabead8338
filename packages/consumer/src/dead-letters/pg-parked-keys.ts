import type pg from 'pg';
import { ConsumerError } from '../errors.ts';
import type { ParkedKeys } from './parked-keys.ts';

/** The statement that makes the table `parked_key`, to be put into a migration of the consumer's database. */
export function parkedKeyDdl({ schema = 'public' }: { readonly schema?: string } = {}): string {
  return `create table if not exists ${tableName(schema)} (
  consumer_group text not null,
  topic text not null,
  key text not null,
  first_eid text not null,
  parked_at timestamptz not null default now(),
  primary key (consumer_group, topic, key)
);
`;
}

/** Parked keys in Postgres: every member of a group sees them, and a restart forgets none. */
export function createPgParkedKeys(
  pool: pg.Pool,
  { schema = 'public' }: { readonly schema?: string } = {},
): ParkedKeys {
  const table = tableName(schema);
  return {
    async list({ group, topic }) {
      const { rows } = await pool.query<{ key: string }>(
        `select key from ${table} where consumer_group = $1 and topic = $2`,
        [group, topic],
      );
      return new Set(rows.map(({ key }) => key));
    },
    async isParked({ group, topic }, key) {
      const { rowCount } = await pool.query(
        `select from ${table} where consumer_group = $1 and topic = $2 and key = $3`,
        [group, topic, key],
      );
      return rowCount === 1;
    },
    async park({ group, topic }, key, { eid }) {
      await pool.query(
        `insert into ${table} (consumer_group, topic, key, first_eid) values ($1, $2, $3, $4) on conflict do nothing`,
        [group, topic, key, eid],
      );
    },
    async release({ group, topic }, key) {
      const { rowCount } = await pool.query(
        `delete from ${table} where consumer_group = $1 and topic = $2 and key = $3`,
        [group, topic, key],
      );
      return rowCount === 1;
    },
  };
}

function tableName(schema: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new ConsumerError(
      'SUBSCRIPTION_INVALID',
      `the schema "${schema}" of parked_key must be of lower-case letters, digits and "_"`,
    );
  return `${schema}.parked_key`;
}
