import { readTopics, type KafkaRecord } from '@outbound/consumer';
import { recordHeader, withTopicPrefix } from '@outbound/contract';
import { eventTypes, productChange } from '@outbound/schemas';
import {
  createLogger,
  kafkaConnection,
  kafkaSettings,
  postgresUrlSetting,
  readConfig,
} from '@outbound/service-kit';
import pg from 'pg';
import { z } from 'zod';

/** A nightly load: every product change that came since the last load, into a warehouse table. Events and positions are written in one transaction. */
const settings = readConfig(
  'LOAD_',
  z.object({ databaseUrl: postgresUrlSetting(), ...kafkaSettings('product-history') }),
  process.env,
);
const logger = createLogger({ service: 'product-history', level: 'info' });
const topic = withTopicPrefix(eventTypes, settings.topicPrefix)
  .get(productChange.name)
  ?.routes.find(({ cleanupPolicy }) => cleanupPolicy === 'delete')?.topic;
if (topic === undefined) throw new Error(`${productChange.name} has no topic with every change`);

const client = new pg.Client({ connectionString: settings.databaseUrl });
await client.connect();
// In a warehouse of yours these belong into its migrations. The event id makes a repeated delivery harmless.
await client.query(`
  create table if not exists product_history (
    event_id uuid primary key, product_id text not null, occurred_at timestamptz not null, event json not null);
  create table if not exists product_history_position (partition integer primary key, next_offset bigint not null);`);
const { rows } = await client.query<{ partition: number; next: string }>(
  'select partition, next_offset::text as next from product_history_position',
);
const positions = new Map(rows.map(({ partition, next }) => [partition, BigInt(next)]));

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
const { recordCount, overtaken, isCaughtUp } = await readTopics({
  connection: kafkaConnection(settings, { prefix: 'LOAD_', env: process.env }),
  topics: [topic],
  from: ({ partition, low }) => positions.get(partition) ?? low,
  until: 'end',
  signal: stop.signal,
  log: logger,
  onBatch: load,
});
await client.end();
logger.info({ recordCount, isCaughtUp }, 'loaded');
// What retention removed before it was loaded is missing: the interval between two loads has to be shorter than the topic's retention.
if (overtaken > 0n) throw new Error(`${overtaken} changes were removed before they were loaded`);

async function load(records: readonly KafkaRecord[]): Promise<void> {
  const events = records.filter(({ value }) => value !== null);
  const last = records.at(-1);
  await client.query('begin');
  await client.query(
    `insert into product_history select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::json[])
     on conflict (event_id) do nothing`,
    [
      events.map(({ headers }) => headers[recordHeader.id]),
      events.map(({ key }) => key?.toString()),
      events.map(({ headers }) => headers[recordHeader.time]),
      events.map(({ value }) => value?.toString()),
    ],
  );
  await client.query(
    `insert into product_history_position values ($1, $2)
     on conflict (partition) do update set next_offset = excluded.next_offset`,
    [last?.partition, String((last?.offset ?? 0n) + 1n)],
  );
  await client.query('commit');
}
