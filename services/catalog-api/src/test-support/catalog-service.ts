import { fileURLToPath } from 'node:url';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { quietLogger, type Logger } from '@outbound/service-kit';
import pg from 'pg';
import { migrateDatabase } from '../migrations/migrate-database.ts';
import { apiConfig, type ApiConfig } from '../config.ts';
import { startService, type CatalogService } from '../service.ts';

/** A catalog service over a database of its own, reached over real HTTP. */
export interface TestCatalog {
  readonly postgres: PostgresServer;
  /** Superuser's connection, to look and to interfere. */
  readonly admin: pg.Client;
  /** URL of the superuser to the service's database. */
  readonly adminUrl: string;
  /** URL with the role that the API has in production: DML on its tables, INSERT alone on the outbox. */
  readonly apiUrl: string;
  readonly service: CatalogService;
  readonly url: string;
  /** A second service over the same database. */
  startAnother(overrides?: Readonly<Record<string, string>>): Promise<CatalogService>;
  close(): Promise<void>;
}

const directory = fileURLToPath(new URL('../../../../migrations/', import.meta.url));

/** Starts Postgres, migrates a database and starts the service on free ports. @param overrides settings as text. */
export async function startCatalog(
  overrides: Readonly<Record<string, string>> = {},
  logger: Logger = quietLogger(),
): Promise<TestCatalog> {
  const postgres = await startPostgres();
  const adminUrl = await postgres.createDatabase('catalog');
  const admin = new pg.Client({ connectionString: adminUrl });
  // Tests kill the server; that must not end the test run.
  admin.on('error', () => undefined);
  await admin.connect();
  await migrateDatabase({
    databaseUrl: adminUrl,
    directory,
    passwords: { outbound_api: 'api' },
  });
  const apiUrl = Object.assign(new URL(adminUrl), {
    username: 'outbound_api',
    password: 'api',
  }).href;
  const started: CatalogService[] = [];
  const startAnother = async (settings: Readonly<Record<string, string>> = {}) => {
    const service = await startService(
      testConfig(apiUrl, { ...overrides, ...settings }),
      logger,
      'test',
    );
    started.push(service);
    return service;
  };
  const service = await startAnother();
  return {
    postgres,
    admin,
    adminUrl,
    apiUrl,
    service,
    url: `http://127.0.0.1:${service.port}`,
    startAnother,
    close: async () => {
      for (const each of started) await each.close();
      await admin.end();
      await postgres.close();
    },
  };
}

/** The settings of a test's service: free ports, no grace at the end, and no authentication unless the test is about it; the defaults of production otherwise. */
export function testConfig(
  databaseUrl: string,
  overrides: Readonly<Record<string, string>> = {},
): ApiConfig {
  return apiConfig.parse({
    databaseUrl,
    port: '0',
    adminPort: '0',
    stopGraceMs: '0',
    auth: 'off',
    ...overrides,
  });
}
