import {
  applyOnce,
  createPgParkedKeys,
  inboxDdl,
  parkedKeyDdl,
  subscribe,
} from '@outbound/consumer';
import { withTopicPrefix } from '@outbound/contract';
import { amountToText, eventTypes, productChange } from '@outbound/schemas';
import {
  createLogger,
  kafkaConnection,
  kafkaSettings,
  postgresUrlSetting,
  readConfig,
  runUntilSignal,
} from '@outbound/service-kit';
import pg from 'pg';
import { z } from 'zod';

/** A price list that follows the catalog: one row for each product that has a price, in this service's own database. */
const settings = readConfig(
  'PRICES_',
  z.object({ databaseUrl: postgresUrlSetting(), ...kafkaSettings('price-list') }),
  process.env,
);
const logger = createLogger({ service: 'price-list', level: 'info' });
const pool = new pg.Pool({ connectionString: settings.databaseUrl });
pool.on('error', (error) => logger.warn({ error }, 'idle connection broke'));

const [changes] =
  withTopicPrefix(eventTypes, settings.topicPrefix).get(productChange.name)?.routes ?? [];
if (!changes) throw new Error(`${productChange.name} has no route`);
const topic = changes.topic;

await runUntilSignal(
  async ({ signal, onClose }) => {
    onClose('pool', () => pool.end());
    // In a service of yours these belong into its migrations.
    await pool.query(inboxDdl() + parkedKeyDdl());
    await pool.query(`create table if not exists price (
      product_id uuid primary key, amount numeric not null, currency text not null)`);

    const subscription = await subscribe({
      connection: kafkaConnection(settings, { prefix: 'PRICES_', env: process.env }),
      groupId: 'price-list',
      topic,
      eventType: productChange,
      log: logger,
      signal,
      onPoison: {
        then: 'dead-letter',
        topic: `${topic}.price-list-dead-letters`,
        laterEvents: { policy: 'park', keys: createPgParkedKeys(pool) },
      },
      handle: async (event) => {
        const outcome = await applyOnce(pool, event, { consumer: 'price-list' }, async (client) => {
          const price = event.dataOp === 'D' ? undefined : event.data?.price;
          if (!price) await client.query('delete from price where product_id = $1', [event.key]);
          else
            await client.query(
              `insert into price values ($1, $2, $3)
               on conflict (product_id) do update set amount = excluded.amount, currency = excluded.currency`,
              [event.key, amountToText(price.amount), price.currency],
            );
        });
        logger.info({ eid: event.eid, outcome, version: event.version }, 'product change');
      },
    });
    logger.info({ topic }, 'subscribed');
    // Rejects when the subscription ends by itself: then this process ends too, and its supervisor starts it anew.
    await subscription.done;
  },
  { logger },
);
