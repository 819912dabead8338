import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PipelineError, readConfig } from '@outbound/service-kit';
import { migrateDatabase } from './migrations/migrate-database.ts';
import { migratePrefix, migrateSchema } from './migrations/migrate-config.ts';

/** `migrate`: brings the database up to date, prints what it did, and exits 0; 2 for a wrong setting, 1 for everything else. */
async function migrate(): Promise<number> {
  try {
    const config = readConfig(migratePrefix, migrateSchema, process.env);
    const applied = await migrateDatabase({
      databaseUrl: config.databaseUrl,
      directory: config.directory ?? defaultDirectory(),
      lockTimeoutMs: config.lockTimeoutMs,
      passwords: {
        ...(config.apiPassword === undefined ? {} : { outbound_api: config.apiPassword }),
        ...(config.relayPassword === undefined ? {} : { outbound_relay: config.relayPassword }),
        ...(config.operatorPassword === undefined
          ? {}
          : { outbound_operator: config.operatorPassword }),
      },
      onApplied: (name) => process.stdout.write(`applied ${name}\n`),
    });
    process.stdout.write(
      applied.length === 0
        ? 'nothing to do: the database is up to date\n'
        : `${applied.length} migrations applied\n`,
    );
    return 0;
  } catch (error) {
    const code: string = error instanceof PipelineError ? String(error.code) : 'MIGRATION_FAILED';
    process.stderr.write(
      `migrate: ${code}: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return code === 'CONFIG_INVALID' ? 2 : 1;
  }
}

/** Beside the bundle in an image, at the top of the repository elsewhere. */
function defaultDirectory(): string {
  const candidates = ['./migrations', '../migrations', '../../../migrations'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return candidates.find((path) => existsSync(`${path}/0001_roles.sql`)) ?? 'migrations';
}

process.exitCode = await migrate();
