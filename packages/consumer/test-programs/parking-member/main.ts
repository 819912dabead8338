import { createLogger, runUntilSignal } from '@outbound/service-kit';
import pg from 'pg';
import { createPgParkedKeys, subscribe } from '../../src/index.ts';
import { note } from '../../test-support/notes.ts';

/**
 * A member of a group that parks keys, to be killed by a test at any moment. It cannot handle what is in the table
 * `broken`; of the rest it writes a row to `effect`, and then waits for the lock 42, which the test may hold.
 */
const { MEMBER_BROKERS, MEMBER_TOPIC, MEMBER_DEAD_LETTERS, MEMBER_GROUP, MEMBER_DATABASE_URL } =
  process.env;
const logger = createLogger({ service: 'parking-member', level: 'info' });
const pool = new pg.Pool({ connectionString: MEMBER_DATABASE_URL, max: 10 });
pool.on('error', (error) => logger.warn({ error }, 'idle connection broke'));

await runUntilSignal(
  async ({ signal, onClose }) => {
    onClose('pool', () => pool.end());
    const subscription = await subscribe({
      connection: {
        brokers: (MEMBER_BROKERS ?? '').split(','),
        clientId: 'parking-member',
        tls: undefined,
        sasl: undefined,
        connectTimeoutMs: 10_000,
        silenceLimitMs: 5_000,
      },
      groupId: MEMBER_GROUP ?? '',
      topic: MEMBER_TOPIC ?? '',
      eventType: note,
      log: logger,
      sessionTimeoutMs: 2_000,
      rebalanceTimeoutMs: 6_000,
      commitIntervalMs: 100,
      retry: { attempts: 2, baseMs: 10, maxMs: 20 },
      onPoison: {
        then: 'dead-letter',
        topic: MEMBER_DEAD_LETTERS ?? '',
        laterEvents: { policy: 'park', keys: createPgParkedKeys(pool) },
      },
      signal,
      handle: async ({ key, version }) => {
        const of = [key, version];
        const { rowCount } = await pool.query(
          'select from broken where key = $1 and version = $2',
          of,
        );
        if (rowCount !== 0) throw Object.assign(new Error('no such currency'), { code: 'E_PRICE' });
        await pool.query('insert into effect (key, version) values ($1, $2)', of);
        await pool.query('select pg_advisory_xact_lock(42)');
      },
    });
    await subscription.done;
  },
  { logger },
);
