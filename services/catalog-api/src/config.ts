import { integerSetting, logLevels, postgresUrlSetting } from '@outbound/service-kit';
import { z } from 'zod';
import { limitSettings } from './limits/limit-settings.ts';
import { authProblems, authSettings } from './auth/auth-settings.ts';

/** Prefix of every setting of this service in the environment. */
export const configPrefix = 'CATALOG_API_';

const port = integerSetting({ min: 0, max: 65_535 });

/** Every setting, with its unit and default: the only description of them. */
export const apiConfig = z
  .object({
    host: z.string().default('127.0.0.1').describe('Address to listen on.'),
    port: port
      .default(8080)
      .describe('Port of the API; 0 takes a free one, see the log line "listening".'),
    adminHost: z.string().default('127.0.0.1').describe('Address of livez, readyz and metrics.'),
    adminPort: port
      .default(8081)
      .describe('Port of livez, readyz and metrics; 0 takes a free one.'),
    publicUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe(
        'Where callers reach the API; put before the paths in links and Location, which are relative without it.',
      )
      .meta({ example: 'https://catalog.example.com' }),
    databaseUrl: postgresUrlSetting()
      .describe('Postgres, as the role outbound_api.')
      .meta({ secret: true, example: 'postgres://outbound_api:secret@localhost:5432/outbound' }),
    poolSize: integerSetting({ min: 1, max: 1_000 })
      .default(10)
      .describe('Most connections to Postgres at a time.'),
    poolQueueSize: integerSetting({ min: 0, max: 100_000 })
      .default(200)
      .describe('Most requests that wait for a connection; more are answered 503.'),
    connectionTimeoutMs: integerSetting({ min: 100, max: 60_000 })
      .default(2_000)
      .describe('Longest wait for a connection before the answer is 503.')
      .meta({ unit: 'ms' }),
    statementTimeoutMs: integerSetting({ min: 100, max: 600_000 })
      .default(10_000)
      .describe(
        'statement_timeout, lock_timeout and idle_in_transaction_session_timeout of all that the API asks of Postgres, also behind PgBouncer.',
      )
      .meta({ unit: 'ms' }),
    requestTimeoutMs: integerSetting({ min: 100, max: 600_000 })
      .default(30_000)
      .describe(
        'Longest time for a request to arrive whole; its headers get a third of it. Of a stream, the longest silence.',
      )
      .meta({ unit: 'ms' }),
    stopGraceMs: integerSetting({ min: 0, max: 300_000 })
      .default(5_000)
      .describe(
        'After SIGTERM: how long requests are still taken while readyz is red already, so that load balancers look elsewhere first. 0 without one in front.',
      )
      .meta({ unit: 'ms' }),
    deletedDataKeptDays: integerSetting({ min: 1, max: 36_500 })
      .default(30)
      .describe('After this time the data of a deleted entity is dropped; its id and version stay.')
      .meta({ unit: 'days' }),
    bodyLimitBytes: integerSetting({ min: 1_024, max: 1_048_576 })
      .default(262_144)
      .describe('Largest body of a request.')
      .meta({ unit: 'bytes' }),
    batchBodyLimitBytes: integerSetting({ min: 1_024, max: 67_108_864 })
      .default(8_388_608)
      .describe('Largest body of a batch.')
      .meta({ unit: 'bytes' }),
    ...limitSettings(),
    ...authSettings(),
    pageBytes: integerSetting({ min: 1_024, max: 67_108_864 })
      .default(1_048_576)
      .describe(
        'A page of a list ends before an entity that begins beyond this size; `next` goes on there.',
      )
      .meta({ unit: 'bytes' }),
    answersInFlightBytes: integerSetting({ min: 65_536, max: 4_294_967_296 })
      .default(67_108_864)
      .describe(
        'Most bytes of answers that wait for slow readers, over all connections; beyond, pages are answered 503, and at twice as much whatever reads.',
      )
      .meta({ unit: 'bytes' }),
    answerTimeoutMs: integerSetting({ min: 100, max: 600_000 })
      .default(30_000)
      .describe(
        'Longest time for an answer to be taken whole, of a stream each part of it, then its connection is ended; at most 5,000 for whole ones while half of CATALOG_API_ANSWERS_IN_FLIGHT_BYTES is held.',
      )
      .meta({ unit: 'ms' }),
    bodiesInFlightBytes: integerSetting({ min: 65_536, max: 4_294_967_296 })
      .default(33_554_432)
      .describe(
        'Most bytes of bodies of requests that are not answered yet, over all connections; beyond, the largest that still arrives is answered 503.',
      )
      .meta({ unit: 'bytes' }),
    maxImports: integerSetting({ min: 1, max: 1_000 })
      .default(8)
      .describe(
        'Most streaming imports at a time, half of them of one caller; more are answered 503.',
      ),
    maxExports: integerSetting({ min: 1, max: 100 })
      .default(4)
      .describe(
        'Most exports at a time, half of them of one caller; more are answered 503. Each has a connection to Postgres beside CATALOG_API_POOL_SIZE.',
      ),
    exportTimeoutMs: integerSetting({ min: 100, max: 86_400_000 })
      .default(600_000)
      .describe(
        'Longest time of an export, which goes on with `after` then: its snapshot holds back vacuum on the whole database.',
      )
      .meta({ unit: 'ms' }),
    maxConnections: integerSetting({ min: 1, max: 1_000_000 })
      .default(4_096)
      .describe('Most connections of callers; more are closed as they come.'),
    logLevel: z.enum(logLevels).default('info').describe('Least severe level that is logged.'),
  })
  .superRefine((settings, context) => {
    for (const { key, message } of authProblems(settings))
      context.addIssue({ code: 'custom', path: [key], message });
  });
export type ApiConfig = Readonly<z.output<typeof apiConfig>>;
