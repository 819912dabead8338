import { integerSetting, postgresUrlSetting } from '@outbound/service-kit';
import { z } from 'zod';

/** Prefix of the settings of `migrate`. */
export const migratePrefix = 'CATALOG_MIGRATE_';

/** Settings of `migrate`. */
export const migrateSchema = z.object({
  databaseUrl: postgresUrlSetting()
    .describe('Postgres, as a role that may create tables, roles and publications')
    .meta({ secret: true, example: 'postgres://postgres:password@127.0.0.1:5432/catalog' }),
  directory: z
    .string()
    .min(1)
    .optional()
    .describe('Where the SQL files are; found by itself in the repository and in the image'),
  lockTimeoutMs: integerSetting({ min: 1, max: 3_600_000 })
    .default(60_000)
    .describe('How long to wait for another runner, and for the tables that one file changes')
    .meta({ unit: 'ms' }),
  apiPassword: z
    .string()
    .min(1)
    .optional()
    .describe('Gives the role outbound_api LOGIN with this password')
    .meta({ secret: true }),
  relayPassword: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Gives the role outbound_relay LOGIN and REPLICATION with this password; before Postgres 16 only a superuser may',
    )
    .meta({ secret: true }),
  operatorPassword: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Gives the role outbound_operator (people, at the command line) LOGIN and REPLICATION with this password',
    )
    .meta({ secret: true }),
});
