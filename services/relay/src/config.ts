import {
  flagSetting,
  integerSetting,
  kafkaSettings,
  listSetting,
  logLevels,
  PipelineError,
  postgresUrlSetting,
  walBudgetSettings,
} from '@outbound/service-kit';
import { z } from 'zod';
import { failPointNames } from './fail-points.ts';

const mebibyte = 1024 * 1024;

/** Prefix of every setting of the relay in the environment. */
export const configPrefix = 'RELAY_';

/** Every setting of the relay, with its default. `.env.example` and the table in the docs are generated from it. */
export const configSchema = z.object({
  databaseUrl: postgresUrlSetting()
    .describe('Postgres, connected to directly (no pooler), as a role with LOGIN and REPLICATION')
    .meta({ secret: true, example: 'postgres://outbound_relay:password@127.0.0.1:5432/catalog' }),
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and _')
    .default('outbound')
    .describe('Replication slot; created on the first start, one for each relay pipeline'),
  publication: z
    .string()
    .min(1)
    .max(63)
    .default('outbound')
    .describe('Publication that covers the outbox; created by the migrations'),
  outboxTable: z
    .string()
    .regex(/^[^.]+\.[^.]+$/, 'expected schema.table')
    .default('public.outbox')
    .describe('The outbox, as schema.table'),
  failoverSlot: flagSetting()
    .default(false)
    .describe(
      'Create the slot with failover = true (Postgres 17 and later), for synchronised standbys',
    ),
  ...kafkaSettings('outbound-relay'),
  kafkaCompression: z
    .enum(['none', 'gzip'], { error: 'expected none or gzip' })
    .default('none')
    .describe('Compression of record batches; gzip trades processor time for network.'),
  delivery: z
    .enum(['at-least-once', 'exactly-once'], { error: 'expected at-least-once or exactly-once' })
    .default('at-least-once')
    .describe(
      'exactly-once sends in Kafka transactions, so that a reader with isolation.level=read_committed sees no record twice, at the price of latency; both ways lose nothing and keep the order',
    ),
  eventTypes: z
    .string()
    .optional()
    .describe(
      "Path of a JavaScript module that exports eventTypes; without it, this repository's own",
    ),
  schemaRegistryUrl: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .optional()
    .describe(
      'A Confluent-compatible schema registry; with it, values begin with the id of their schema (outbound schemas publish puts them there), without it they are plain JSON',
    )
    .meta({ secret: true, example: 'http://127.0.0.1:8081' }),
  skipEvents: listSetting()
    .optional()
    .describe(
      'Ids of outbox events to leave out if they cannot be published; an operator’s decision, logged for each',
    )
    .meta({ example: '01980b3e-7f4e-7a41-b1c6-2f5f3d6a0d11' }),
  poison: z
    .enum(['park', 'stop'], { error: 'expected park or stop' })
    .default('park')
    .describe(
      'What becomes of an event that cannot be published: park sends it and the later events of its key to the dead letters while all others flow; stop ends the relay with exit code 20, and keys that were parked before wait on',
    ),
  redrive: flagSetting()
    .default(true)
    .describe(
      'Publish by itself, in order, what waited for a relay that knows its event type; false leaves that to outbound dead-letters redrive',
    ),
  maxInFlightBytes: integerSetting({ min: mebibyte, max: 1024 * mebibyte })
    .default(8 * mebibyte)
    .describe('Reading pauses when more than this is unconfirmed')
    .meta({ unit: 'bytes' }),
  recordsPerSend: integerSetting({ min: 1, max: 10_000 })
    .default(2000)
    .describe('Records in one send over all partitions of a broker')
    .meta({ unit: 'records' }),
  statusIntervalMs: integerSetting({ min: 100, max: 60_000 })
    .default(5000)
    .describe(
      'Longest time between status updates to Postgres; a third of wal_sender_timeout if that is less',
    )
    .meta({ unit: 'ms' }),
  walSenderTimeoutMs: integerSetting({ min: 1000, max: 600_000 })
    .default(15_000)
    .describe(
      'After so long without a status update Postgres gives the slot to another relay: wal_sender_timeout of the stream, where that of the server is longer; at least RELAY_STATUS_INTERVAL_MS and RELAY_STALL_LIMIT_MS together',
    )
    .meta({ unit: 'ms' }),
  stallLimitMs: integerSetting({ min: 500, max: 600_000 })
    .default(10_000)
    .describe(
      'After a pause of the process longer than this, the slot is proved to be ours before anything is sent',
    )
    .meta({ unit: 'ms' }),
  drainMs: integerSetting({ min: 0, max: 60_000 })
    .default(5000)
    .describe(
      'How long a stop waits for records in flight; the process ends 4.5 s after it at the latest, so give its supervisor 5 s more',
    )
    .meta({ unit: 'ms' }),
  ...walBudgetSettings(),
  outboxRetentionHours: integerSetting({ min: 1, max: 24 * 366 })
    .default(72)
    .describe('How long published rows stay in the outbox, as the source of recovery and replay')
    .meta({ unit: 'hours' }),
  housekeepingIntervalMs: integerSetting({ max: 24 * 3_600_000 })
    .default(600_000)
    .describe('How often outbox partitions are made and dropped; 0 leaves it to somebody else')
    .meta({ unit: 'ms' }),
  adminHost: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address of /livez, /readyz and /metrics'),
  adminPort: integerSetting({ max: 65_535 })
    .default(8082)
    .describe('Port of /livez, /readyz and /metrics; 0 takes a free one'),
  logLevel: z.enum(logLevels).default('info').describe('Least severe level that is logged'),
  failPoint: z
    .string()
    .refine(
      (text) => parseFailPoint(text) !== undefined,
      `expected NAME:COUNT with a name of ${failPointNames.join(', ')}`,
    )
    .optional()
    .describe('For tests only: the process kills itself the COUNTth time it reaches the point'),
});

export type RelayConfig = Readonly<z.output<typeof configSchema>>;

/**
 * Whether a relay that wakes up notices before it sends that it may have lost the slot: the last status update was sent an interval before it
 * stood still at the earliest, and the server counts from there.
 * @throws PipelineError CONFIG_INVALID
 */
export function judgeTimings({
  walSenderTimeoutMs,
  statusIntervalMs,
  stallLimitMs,
}: Pick<RelayConfig, 'walSenderTimeoutMs' | 'statusIntervalMs' | 'stallLimitMs'>): void {
  if (statusIntervalMs + stallLimitMs <= walSenderTimeoutMs) return;
  throw new PipelineError(
    'CONFIG_INVALID',
    `RELAY_WAL_SENDER_TIMEOUT_MS is ${walSenderTimeoutMs}, less than RELAY_STATUS_INTERVAL_MS (${statusIntervalMs}) and RELAY_STALL_LIMIT_MS (${stallLimitMs}) together: ` +
      'the slot could be lost before a relay that stood still would ask for it; raise it, or lower these',
  );
}

/** `after-publish-before-track:3` → its parts, or undefined if it is not one. */
export function parseFailPoint(
  text: string,
): { name: (typeof failPointNames)[number]; count: number } | undefined {
  const [name, count] = text.split(':');
  const known = failPointNames.find((each) => each === name);
  if (!known || !count || !/^[1-9]\d{0,8}$/.test(count)) return undefined;
  return { name: known, count: Number(count) };
}
