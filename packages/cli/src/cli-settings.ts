import {
  kafkaSettings,
  postgresUrlSetting,
  readConfig,
  walBudgetSettings,
  type Environment,
} from '@outbound/service-kit';
import { z } from 'zod';
import { cliPrefix, foreignPrefixes } from './cli-prefix.ts';

/**
 * `fetch` takes no URL with a login, and neither the API nor the admin port wants one there; so what would be a secret
 * stands in none of them.
 */
const httpUrl = () =>
  z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .refine((url) => !/^[^/]*\/\/[^/?#]*@/.test(url), 'expected no user and no password in it');

/**
 * Every setting of `outbound`. None is required as such: a verb asks for what it needs, and says which setting that is.
 */
export const cliSchema = z.object({
  databaseUrl: postgresUrlSetting()
    .optional()
    .describe('Postgres, connected to directly (no pooler), as outbound_operator or a superuser')
    .meta({
      secret: true,
      example: 'postgres://outbound_operator:password@127.0.0.1:5432/catalog',
    }),
  ...kafkaSettings('outbound-cli'),
  kafkaBrokers: kafkaSettings('outbound-cli').kafkaBrokers.optional(),
  apiUrl: httpUrl()
    .optional()
    .describe('The catalog API, for export, import and doctor')
    .meta({ example: 'http://127.0.0.1:8080' }),
  apiToken: z
    .string()
    .regex(/^[A-Za-z0-9\-._~+/]+=*$/, 'expected a bearer token')
    .optional()
    .describe(
      'Access token for the catalog API, for export (scope catalog.product.read or catalog.category.read) and import (….write)',
    )
    .meta({ secret: true }),
  issuerDirectory: z
    .string()
    .min(1)
    .optional()
    .describe("Folder of the development issuer's keys, for token; npm start has one")
    .meta({ example: '.data/issuer' }),
  relayAdminUrl: httpUrl()
    .optional()
    .describe("The relay's admin port, for what only it knows: its state and the delivery lag")
    .meta({ example: 'http://127.0.0.1:9464' }),
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and _')
    .default('outbound')
    .describe('Replication slot of the relay that is looked at'),
  publication: z
    .string()
    .min(1)
    .max(63)
    .default('outbound')
    .describe('Publication that covers the outbox'),
  eventTypes: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Path of the JavaScript module that the relay has in RELAY_EVENT_TYPES, for recover, status and doctor; without it, this repository's own event types",
    ),
  ...walBudgetSettings(),
});

export type CliSettings = Readonly<z.output<typeof cliSchema>>;

/** The settings that the environment has. @throws PipelineError CONFIG_INVALID with everything that is wrong in it. */
export const readCliSettings = (env: Environment): CliSettings =>
  readConfig(cliPrefix, cliSchema, env, { otherPrefixes: foreignPrefixes });
