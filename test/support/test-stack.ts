import {
  startKafka,
  startPostgres,
  type KafkaCluster,
  type KafkaOptions,
  type PostgresOptions,
  type PostgresServer,
} from '@outbound/local-stack';
import { migrateDatabase } from '../../services/catalog-api/src/migrations/migrate-database.ts';

/** Name of the migrated database that each test's own is copied from. */
const template = 'migrated';
/** Password of every role on test servers. */
export const servicePassword = 'service-secret';

/** Postgres (with a migrated template) and Kafka, real, for one test file. */
export interface TestStack extends AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly kafka: KafkaCluster;
}

/** Starts both at once. Keepalives are quick, so that what depends on them takes no minute. */
export async function startTestStack({
  postgres = {},
  kafka = {},
}: { postgres?: PostgresOptions; kafka?: KafkaOptions } = {}): Promise<TestStack> {
  const servers = await Promise.allSettled([
    startPostgres({ ...postgres, settings: { wal_sender_timeout: '6s', ...postgres.settings } }),
    startKafka(kafka),
  ]);
  const [server, cluster] = servers;
  if (server.status === 'rejected' || cluster.status === 'rejected') {
    for (const each of servers) if (each.status === 'fulfilled') await each.value.close();
    throw server.status === 'rejected' ? server.reason : (cluster as PromiseRejectedResult).reason;
  }
  await migrateTemplate(server.value);
  return {
    postgres: server.value,
    kafka: cluster.value,
    async [Symbol.asyncDispose]() {
      await Promise.all([server.value.close(), cluster.value.close()]);
    },
  };
}

/** The template that each test’s database is copied from. */
export async function migrateTemplate(postgres: PostgresServer): Promise<void> {
  await migrateDatabase({
    databaseUrl: await postgres.createDatabase(template),
    directory: 'migrations',
    passwords: {
      outbound_api: servicePassword,
      outbound_relay: servicePassword,
      outbound_operator: servicePassword,
    },
  });
}

/** A database of its own, migrated. */
export async function migratedDatabase(postgres: PostgresServer, name: string): Promise<string> {
  return postgres.createDatabase(name, template);
}

/** The same database as another role. */
export function urlAs(url: string, role: string): string {
  const other = new URL(url);
  other.username = role;
  other.password = servicePassword;
  return other.href;
}
