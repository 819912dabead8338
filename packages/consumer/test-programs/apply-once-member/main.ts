import { defineEventType, changeRoute } from '@outbound/contract';
import { createLogger, runUntilSignal } from '@outbound/service-kit';
import pg from 'pg';
import { z } from 'zod';
import { applyOnce, subscribe } from '../../src/index.ts';

/** What the entity writer of the tests writes under the name of a product change. */
const entityChange = defineEventType({
  name: 'catalog.product-change',
  category: 'data',
  owner: 'tests',
  audience: 'component-internal',
  version: '1.0.0',
  dataType: 'catalog.product',
  value: z.strictObject({
    data_op: z.enum(['C', 'U', 'D', 'S']),
    data: z.strictObject({ id: z.string(), version: z.int() }),
  }),
  orderingKeyFields: ['data.version'],
  orderingInstanceIds: ['data.id'],
  compatibilityMode: 'compatible',
  routes: [changeRoute('catalog.product-change', { partitions: 6, retentionMs: 1 })],
});

/**
 * A member of a group that applies every event to Postgres, to be killed by a test at any moment. It writes a row to `delivery` for each time that an
 * event reaches it, and in one transaction with the inbox a row to `effect`.
 */
const { MEMBER_BROKERS, MEMBER_TOPIC, MEMBER_GROUP, MEMBER_DATABASE_URL, MEMBER_INBOX } =
  process.env;
const logger = createLogger({ service: 'apply-once-member', level: 'info' });
const pool = new pg.Pool({ connectionString: MEMBER_DATABASE_URL, max: 10 });
pool.on('error', (error) => logger.warn({ error }, 'idle connection broke'));

await runUntilSignal(
  async ({ signal, onClose }) => {
    onClose('pool', () => pool.end());
    logger.info('joining');
    const subscription = await subscribe({
      connection: {
        brokers: (MEMBER_BROKERS ?? '').split(','),
        clientId: 'apply-once-member',
        tls: undefined,
        sasl: undefined,
        connectTimeoutMs: 10_000,
        silenceLimitMs: 5_000,
      },
      groupId: MEMBER_GROUP ?? '',
      topic: MEMBER_TOPIC ?? '',
      eventType: entityChange,
      log: logger,
      sessionTimeoutMs: 2_000,
      rebalanceTimeoutMs: 6_000,
      commitIntervalMs: 300,
      signal,
      handle: async (event) => {
        const { eid, key, version } = event;
        await pool.query('insert into delivery (eid) values ($1)', [eid]);
        const effect = async (client: pg.ClientBase): Promise<void> => {
          await client.query('insert into effect (eid, key, version) values ($1, $2, $3)', [
            eid,
            key,
            version,
          ]);
        };
        if (MEMBER_INBOX === 'off') {
          const client = await pool.connect();
          await effect(client).finally(() => client.release());
        } else await applyOnce(pool, event, { consumer: MEMBER_GROUP ?? '' }, effect);
      },
    });
    await subscription.done;
  },
  { logger },
);
