import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  developmentAudience,
  developmentIssuer,
  DevelopmentIssuer,
} from '@outbound/development-issuer';
import { startStack, type Stack } from '@outbound/local-stack';
import pg from 'pg';
import { runCommand, Service, type LogLine } from './service.ts';

/** The whole pipeline as it runs on this machine. */
export interface Pipeline {
  readonly apiUrl: string;
  /** Grants everything at the API, for a day. */
  readonly apiToken: string;
  /** Folder of the issuer's keys, for more tokens. */
  readonly issuerDirectory: string;
  readonly apiAdminUrl: string;
  readonly relayAdminUrl: string;
  /** Superuser's, to the catalog's database: the proof reads it as neither service could. */
  readonly databaseUrl: string;
  /** As the command line connects: it reads, and emits snapshots. */
  readonly operatorUrl: string;
  readonly brokers: readonly string[];
  readonly slot: string;
  readonly logs: string;
}

/** What the start needs from the process around it. */
export interface PipelineHost {
  readonly dataDir: string;
  /** Ends the waits. */
  readonly signal: AbortSignal;
  /** Told of each thing that is up. */
  readonly say: (line: string) => void;
  /** Registers how to end something; called backwards. */
  readonly onClose: (name: string, close: () => Promise<void>) => void;
  /** Told when a service ends that should not. */
  readonly onFailure: (error: Error) => void;
}

const database = 'catalog';
const slot = 'outbound';

/**
 * Starts Postgres and Kafka, builds and migrates and provisions, and starts relay and API as processes of their own; comes back when the relay
 * streams and the API listens. Data that is there already is used.
 * @throws Error saying what did not start, with the end of its log.
 */
export async function startPipeline(host: PipelineHost): Promise<Pipeline> {
  const { dataDir, say, onClose } = host;
  const logs = join(dataDir, 'logs');
  await mkdir(logs, { recursive: true });
  const launch = (name: string, entry: string, env: Readonly<Record<string, string>>) => ({
    name,
    entry,
    env,
    logFile: join(logs, `${name}.log`),
  });

  const [stack] = await Promise.all([
    startStack({ dataDir, log: say }).then((started) => {
      onClose('stack', () => started.stop());
      say(`Postgres ${started.postgres.major} and Kafka are up (${started.form})`);
      return started;
    }),
    runCommand({ ...launch('build', 'scripts/build.ts', {}), nodeArgs: ['--import', 'tsx'] }),
  ]);
  host.signal.throwIfAborted();

  // New for each run: migrate sets them. Only the operator's is written down, while it runs.
  const passwords = { api: password(), relay: password(), operator: password() };
  const databaseUrl = await ensureDatabase(stack);
  const brokers = stack.kafka.bootstrap;
  const issuerDirectory = join(dataDir, 'issuer');
  const issuer = await DevelopmentIssuer.open(issuerDirectory);
  await Promise.all([
    runCommand(
      launch('migrate', 'services/catalog-api/dist/migrate.js', {
        CATALOG_MIGRATE_DATABASE_URL: databaseUrl,
        CATALOG_MIGRATE_API_PASSWORD: passwords.api,
        CATALOG_MIGRATE_RELAY_PASSWORD: passwords.relay,
        CATALOG_MIGRATE_OPERATOR_PASSWORD: passwords.operator,
      }),
    ).then(() => say('database migrated')),
    runCommand(
      launch('provision', 'services/relay/dist/provision.js', {
        RELAY_KAFKA_BROKERS: brokers.join(','),
      }),
    ).then(() => say('topics provisioned')),
  ]);
  host.signal.throwIfAborted();

  const start = (service: Service): Service => {
    onClose(service.name, () => service.stop());
    service.ended
      .then((how) => {
        if (!service.isStopping) host.onFailure(service.failure(how));
      })
      .catch(host.onFailure);
    return service;
  };
  const relay = start(
    new Service(
      launch('relay', 'services/relay/dist/main.js', {
        RELAY_DATABASE_URL: urlAs(databaseUrl, 'outbound_relay', passwords.relay),
        RELAY_KAFKA_BROKERS: brokers.join(','),
        RELAY_SLOT: slot,
        RELAY_ADMIN_PORT: '0',
        // The proof waits for the slot: it should not wait for a timer of 5 s.
        RELAY_STATUS_INTERVAL_MS: '500',
      }),
    ),
  );
  const api = start(
    new Service(
      launch('catalog-api', 'services/catalog-api/dist/main.js', {
        CATALOG_API_DATABASE_URL: urlAs(databaseUrl, 'outbound_api', passwords.api),
        CATALOG_API_PORT: '0',
        CATALOG_API_ADMIN_PORT: '0',
        CATALOG_API_STOP_GRACE_MS: '0',
        CATALOG_API_AUTH_ISSUER: developmentIssuer,
        CATALOG_API_AUTH_DEVELOPMENT_ISSUER: 'true',
        CATALOG_API_AUTH_AUDIENCE: developmentAudience,
        CATALOG_API_AUTH_JWKS_PATH: issuer.jwksPath,
      }),
    ),
  );
  const [relayLine, apiLine] = await Promise.all([
    relay.logged(isListening),
    api.logged(isListening),
    relay.logged(isStreaming),
  ]);
  say(`relay streams (pid ${relay.pid}), API listens (pid ${api.pid})`);
  return {
    apiUrl: urlOf(apiLine['port']),
    apiToken: await issuer.token({ subject: 'npm-start', lifetimeSeconds: 86_400 }),
    issuerDirectory,
    apiAdminUrl: urlOf(apiLine['adminPort']),
    relayAdminUrl: urlOf(relayLine['port']),
    databaseUrl,
    operatorUrl: urlAs(databaseUrl, 'outbound_operator', passwords.operator),
    brokers,
    slot,
    logs,
  };
}

function password(): string {
  return randomBytes(18).toString('base64url');
}

const isListening = (line: LogLine): boolean => line['message'] === 'listening';

const isStreaming = (line: LogLine): boolean =>
  line['message'] === 'state changed' && line['state'] === 'streaming';

function urlOf(port: unknown): string {
  return `http://127.0.0.1:${String(port)}`;
}

function urlAs(databaseUrl: string, role: string, secret: string): string {
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = secret;
  return url.href;
}

async function ensureDatabase({ postgres }: Stack): Promise<string> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      database,
    ]);
    if (rowCount === 0) return await postgres.createDatabase(database);
  } finally {
    await client.end();
  }
  const url = new URL(postgres.url);
  url.pathname = `/${database}`;
  return url.href;
}
