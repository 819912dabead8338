import { z } from 'zod';
import { settingFile, type Environment } from './config.ts';
import { currentText } from './current-text.ts';
import { PipelineError } from './errors.ts';
import { maskLogins } from './redact.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { flagSetting, integerSetting } from './setting.ts';
import { tlsOptions } from './tls-options.ts';

const pem = (label: 'CERTIFICATE' | 'PRIVATE KEY') =>
  z.string().regex(new RegExp(`-----BEGIN ([A-Z]+ )?${label}-----`), {
    error: `expected a ${label.toLowerCase()} in PEM form`,
  });

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
  kafkaTlsCa: pem('CERTIFICATE')
    .optional()
    .describe(
      "Certificate authorities in PEM form; without them Node's own list. A file (_FILE) is read again at each connection.",
    ),
  kafkaTlsCert: pem('CERTIFICATE')
    .optional()
    .describe(
      'Certificate (with its chain) by which we say who we are, in PEM form; a file is read again at each connection.',
    ),
  kafkaTlsKey: pem('PRIVATE KEY')
    .optional()
    .describe('Private key of that certificate, in PEM form and not encrypted.')
    .meta({ secret: true }),
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
    .describe('Password of that user; a file (_FILE) is read again at each login.')
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
 * The connection that the settings mean. What was given by file is read again when it is used, so that a renewed certificate or password needs no restart.
 * @param options.env where the settings were read from; where its NODE_ENV is production, a password over an open connection is refused.
 * @throws PipelineError CONFIG_INVALID for settings that contradict each other, and for certificates that cannot be read.
 */
export function kafkaConnection(
  settings: KafkaSettings,
  { prefix, env }: { prefix: string; env: Environment },
): KafkaConnection {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername, kafkaSaslPassword } = settings;
  const refuse = (why: string): never => {
    throw new PipelineError('CONFIG_INVALID', why);
  };
  for (const [key, name] of [
    ['kafkaTlsCa', 'KAFKA_TLS_CA'],
    ['kafkaTlsCert', 'KAFKA_TLS_CERT'],
    ['kafkaTlsKey', 'KAFKA_TLS_KEY'],
  ] as const)
    if (settings[key] !== undefined && !settings.kafkaTls)
      refuse(
        `${prefix}${name} is set, and ${prefix}KAFKA_TLS is not true: set it, or remove ${prefix}${name}`,
      );
  if ((settings.kafkaTlsCert === undefined) !== (settings.kafkaTlsKey === undefined))
    refuse(
      `one of ${prefix}KAFKA_TLS_CERT and ${prefix}KAFKA_TLS_KEY is set without the other: a certificate needs its key`,
    );
  const current = (key: 'kafkaTlsCa' | 'kafkaTlsCert' | 'kafkaTlsKey' | 'kafkaSaslPassword') => {
    const text = settings[key];
    return text === undefined ? undefined : currentText(text, settingFile(prefix, key, env));
  };
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
    if (env['NODE_ENV'] === 'production' && !settings.kafkaTls)
      refuse(
        `${prefix}KAFKA_SASL_MECHANISM without ${prefix}KAFKA_TLS sends credentials in the open: set ${prefix}KAFKA_TLS=true`,
      );
    sasl = {
      mechanism,
      username: kafkaSaslUsername,
      password: current('kafkaSaslPassword') ?? kafkaSaslPassword,
    };
  }
  let tls: KafkaConnection['tls'];
  if (settings.kafkaTls)
    try {
      tls = tlsOptions({
        ca: current('kafkaTlsCa'),
        cert: current('kafkaTlsCert'),
        key: current('kafkaTlsKey'),
      });
    } catch (error) {
      // OpenSSL's words name what does not fit, and no bytes of it.
      refuse(
        `the certificates of ${prefix}KAFKA_TLS_CA, ${prefix}KAFKA_TLS_CERT and ${prefix}KAFKA_TLS_KEY cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  return {
    brokers: settings.kafkaBrokers,
    clientId: settings.kafkaClientId,
    tls,
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
      return refuse(
        `expected host:port with a port from 1 to 65535, and "${maskLogins(broker)}" is not`,
      );
    if (brokers.includes(broker)) return refuse(`${broker} is named twice`);
    brokers.push(broker);
  }
  return brokers;
}
