import { createDatabase } from '@outbound/outbox';
import {
  listenFault,
  postgresConnection,
  startAdminServer,
  systemClock,
  type Clock,
  type Logger,
} from '@outbound/service-kit';
import type { AddressInfo } from 'node:net';
import { aggregates, createApi } from './api.ts';
import { createAuthentication } from './auth/create-authentication.ts';
import { BoundedPool } from './bounded-pool.ts';
import type { ApiConfig } from './config.ts';
import { startHousekeeping } from './housekeeping.ts';
import { createApiMetrics } from './metrics.ts';
import { poolCheck } from './pool-check.ts';
import { ReadinessConnection } from './readiness-connection.ts';

/** A running service. */
export interface CatalogService {
  readonly port: number;
  readonly adminPort: number;
  /**
   * Stops. **Order**: readyz is red at once; for `stopGraceMs` requests are still answered, each with `Connection: close`; then no more connections are
   * taken, what is under way or comes on an open one is finished, and what that used is closed.
   */
  readonly close: () => Promise<void>;
}

/** How long requests under way may take once no more are taken. */
const longestFinishMs = 7_000;

/** After which time a stop has failed: the grace, what is under way, and something for the rest. */
export function longestStopMs({ stopGraceMs }: Pick<ApiConfig, 'stopGraceMs'>): number {
  return stopGraceMs + longestFinishMs + 3_000;
}

/**
 * Starts the API and its admin server. The database need not be there yet: requests are answered 503 and readyz is red until it is.
 * @param buildVersion what runs, for `catalog_build_info`.
 * @throws PipelineError CONFIG_INVALID if a host or port of the settings cannot be had.
 */
export async function startService(
  config: ApiConfig,
  logger: Logger,
  buildVersion: string,
  clock: Clock = systemClock,
): Promise<CatalogService> {
  const { statementTimeoutMs } = config;
  const postgres = postgresConnection(config.databaseUrl);
  const connection = {
    ...postgres,
    application_name: 'catalog-api',
    connectionTimeoutMillis: config.connectionTimeoutMs,
    // Idle connections stay: without this the system probes them after two hours, and what forgets them on the way, or a host that vanished, is met by a request.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const limits = {
    statement_timeout: statementTimeoutMs,
    lock_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
  };
  const pool = new BoundedPool(
    // Kept open: when another instance stops, this one needs all of them at once.
    { ...connection, max: config.poolSize, min: config.poolSize },
    {
      maxWaiting: config.poolQueueSize,
      silenceMs: statementTimeoutMs + 5_000,
      timeouts: limits,
      onPooler: () =>
        logger.info(
          { component: 'pool' },
          'a pooler is between us and the database: timeouts go with each transaction',
        ),
    },
  );
  // Exports read for minutes, and take no connection from anybody. Between two readings they wait for their caller.
  const exportPauseMs = config.answerTimeoutMs + 5_000;
  const exportPool = new BoundedPool(
    { ...connection, max: config.maxExports, idleTimeoutMillis: 1_000 },
    {
      maxWaiting: config.maxExports,
      silenceMs: Math.max(statementTimeoutMs + 5_000, exportPauseMs + 5_000),
      timeouts: { ...limits, idle_in_transaction_session_timeout: exportPauseMs },
      onPooler: () => undefined,
    },
  );
  exportPool.on('error', (error) =>
    logger.warn({ component: 'export-pool', error }, 'idle connection lost'),
  );
  // An idle connection that breaks is replaced at the next use; without a listener it would end the process.
  pool.on('error', (error) => logger.warn({ component: 'pool', error }, 'idle connection lost'));
  const db = createDatabase(pool);
  const authentication = await createAuthentication(config, logger);
  const keys = authentication?.keys;
  const metrics = createApiMetrics(
    buildVersion,
    () => pool,
    () => keys?.ageSeconds ?? NaN,
  );
  const timeouts = () => pool.transactionTimeouts();
  const readiness = new ReadinessConnection(postgres);
  const connections = poolCheck(pool);
  let isStopping = false;
  const app = await createApi({
    db,
    snapshots: {
      connect: () => exportPool.connect(),
      timeouts: () => exportPool.transactionTimeouts(),
      // A change may wait for a lock, and then take its own time.
      settleMs: 2 * statementTimeoutMs + 1_000,
    },
    timeouts,
    isStopping: () => isStopping,
    logger,
    metrics,
    publicUrl: config.publicUrl,
    verifier: authentication?.verifier,
    limits: config,
  });
  const admin = await startAdminServer({
    host: config.adminHost,
    port: config.adminPort,
    settings: 'CATALOG_API_ADMIN_HOST and CATALOG_API_ADMIN_PORT',
    registry: metrics.registry,
    checks: {
      service: () => (isStopping ? { ok: false, detail: 'stopping' } : { ok: true }),
      database: () => readiness.check(),
      connections,
      ...(keys === undefined ? {} : { token_keys: () => ({ ok: keys.isUsable() }) }),
    },
  });
  const housekeeping = startHousekeeping({ db, timeouts, logger, metrics, aggregates, config });
  await app
    .listen({
      host: config.host,
      port: config.port,
      // Fastify's own line puts the address into the message.
      listenTextResolver: () => 'accepting connections',
    })
    .catch((thrown: unknown) => {
      const settings = 'CATALOG_API_HOST and CATALOG_API_PORT';
      throw listenFault(thrown, { host: config.host, port: config.port, settings });
    });
  const { port } = app.server.address() as AddressInfo;
  logger.info(
    { host: config.host, port, adminHost: config.adminHost, adminPort: admin.port },
    'listening',
  );
  if (config.auth === 'off')
    logger.warn('authentication is off: everybody on this machine is admitted');
  return {
    port,
    adminPort: admin.port,
    close: async () => {
      isStopping = true;
      logger.info({ durationMs: config.stopGraceMs }, 'draining: readyz is red');
      await clock.sleep(config.stopGraceMs);
      // Somebody who does not read an answer must not hold up the stop, and neither a row that is locked.
      const cut = setTimeout(() => {
        app.server.closeAllConnections();
        pool.cut();
        exportPool.cut();
      }, longestFinishMs);
      await app.close();
      await housekeeping.stop();
      await Promise.all([pool.end(), exportPool.end()]);
      clearTimeout(cut);
      await readiness.close();
      await admin.close();
    },
  };
}
