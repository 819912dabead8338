import { z } from 'zod';
import { PipelineError } from './errors.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { flagSetting, integerSetting } from './setting.ts';

/** The Kafka part of a program's settings: a zod shape to spread into its schema, names without the prefix. */
export const kafkaSettings = (clientId: string) => ({
  kafkaBrokers: z
    .string()
    .transform(parseBrokers)
    .describe('Brokers to begin with, host:port separated by commas; the others are learnt.')
    .meta({ example: 'kafka-1:9092,kafka-2:9092' }),
  kafkaClientId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected letters, digits, ".", "_" and "-", at most 100')
    .default(clientId)
    .describe("Name under which the brokers' logs and quotas know us."),
  kafkaTls: flagSetting()
    .default(false)
    .describe("TLS to the brokers; the server's certificate is always checked."),
  kafkaTlsCa: z
    .string()
    .includes('-----BEGIN CERTIFICATE-----', { error: 'expected a certificate in PEM form' })
    .optional()
    .describe("Certificate authority in PEM form; without it Node's own list."),
  kafkaSaslMechanism: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'], {
      error: 'expected plain, scram-sha-256 or scram-sha-512',
    })
    .optional()
    .describe('How to log in; without it we do not.'),
  kafkaSaslUsername: z.string().optional().describe('User to log in as.'),
  kafkaSaslPassword: z
    .string()
    .optional()
    .describe('Password of that user.')
    .meta({ secret: true }),
  kafkaSilenceLimitMs: integerSetting({ min: 4000, max: 300_000 })
    .default(5000)
    .describe(
      'A connection on which nothing moved for this long while an answer is due is given up; raise it where brokers are slow, for a later notice of one that hangs.',
    )
    .meta({ unit: 'ms' }),
  topicPrefix: z
    .string()
    .regex(/^([a-z][a-z0-9.-]{0,99})?$/, 'expected [a-z0-9.-], beginning with a letter')
    .default('')
    .describe('Put before every topic name, for several environments in one cluster.'),
});

/** The parsed settings that `kafkaConnection` looks at. */
export type KafkaSettings = z.output<z.ZodObject<ReturnType<typeof kafkaSettings>>>;

/**
 * The connection that the settings mean.
 * @param options.isProduction refuses a password over an open connection.
 * @throws PipelineError CONFIG_INVALID for settings that contradict each other.
 */
export function kafkaConnection(
  settings: KafkaSettings,
  { prefix, isProduction }: { prefix: string; isProduction: boolean },
): KafkaConnection {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername, kafkaSaslPassword } = settings;
  const refuse = (why: string): never => {
    throw new PipelineError('CONFIG_INVALID', why);
  };
  if (settings.kafkaTlsCa !== undefined && !settings.kafkaTls)
    refuse(
      `${prefix}KAFKA_TLS_CA is set, and ${prefix}KAFKA_TLS is not true: set it, or remove the authority`,
    );
  let sasl: KafkaConnection['sasl'];
  if (mechanism === undefined) {
    if (kafkaSaslUsername !== undefined || kafkaSaslPassword !== undefined)
      refuse(
        `${prefix}KAFKA_SASL_USERNAME or _PASSWORD is set without ${prefix}KAFKA_SASL_MECHANISM`,
      );
  } else {
    if (kafkaSaslUsername === undefined || kafkaSaslPassword === undefined)
      return refuse(
        `${prefix}KAFKA_SASL_MECHANISM needs ${prefix}KAFKA_SASL_USERNAME and ${prefix}KAFKA_SASL_PASSWORD`,
      );
    if (isProduction && !settings.kafkaTls)
      refuse(
        `${prefix}KAFKA_SASL_MECHANISM without ${prefix}KAFKA_TLS sends credentials in the open: set ${prefix}KAFKA_TLS=true`,
      );
    sasl = { mechanism, username: kafkaSaslUsername, password: kafkaSaslPassword };
  }
  return {
    brokers: settings.kafkaBrokers,
    clientId: settings.kafkaClientId,
    tls: settings.kafkaTls
      ? {
          rejectUnauthorized: true,
          ...(settings.kafkaTlsCa === undefined ? {} : { ca: settings.kafkaTlsCa }),
        }
      : undefined,
    sasl,
    connectTimeoutMs: 10_000,
    silenceLimitMs: settings.kafkaSilenceLimitMs,
  };
}

function parseBrokers(text: string, context: z.RefinementCtx): string[] {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  const brokers: string[] = [];
  for (const item of text.split(',')) {
    const broker = item.trim();
    if (broker === '') return refuse('expected host:port separated by commas, none of them empty');
    const match = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(broker);
    const port = Number(match?.[2]);
    if (!match || port < 1 || port > 65_535)
      return refuse(`expected host:port with a port from 1 to 65535, and "${broker}" is not`);
    if (brokers.includes(broker)) return refuse(`${broker} is named twice`);
    brokers.push(broker);
  }
  return brokers;
}
