import { KafkaError } from '@outbound/kafka';
import { CliError, exitCodes } from '../exit-codes.ts';

const tlsRefusal = /certificate|self.signed|altnames|wrong version number|tls alert|ssl alert/i;

/**
 * What Kafka's layer threw, at the command line: Kafka that does not answer is exit code 5. What is not of Kafka
 * (Postgres, a disk, ourselves) stays as it is.
 * @param what what was asked for, such as `topic catalog.product`: it begins the sentence.
 * @param brokers where it was asked; named when nobody answered.
 */
export function kafkaCliError(thrown: unknown, what: string, brokers: readonly string[]): Error {
  if (!(thrown instanceof KafkaError))
    return thrown instanceof Error
      ? thrown
      : new CliError('KAFKA_FAILED', `${what}: ${String(thrown)}`);
  const { code, message } = thrown;
  const asked = brokers.join(', ');
  const told = (
    cliCode: string,
    sentence: string,
    exitCode: (typeof exitCodes)[keyof typeof exitCodes] = exitCodes.unavailable,
  ) => new CliError(cliCode, sentence, { exitCode, cause: thrown });
  switch (code) {
    case 'KAFKA_UNAVAILABLE':
    case 'KAFKA_PARTITION_UNAVAILABLE':
      return told(
        'KAFKA_UNAVAILABLE',
        `${what}: Kafka at ${asked} does not answer (${message}): check that it runs and what OUTBOUND_KAFKA_BROKERS says; if the first connection works and this does not, the advertised listeners cannot be reached from here (outbound doctor)`,
      );
    case 'KAFKA_AUTH_FAILED':
      return told(
        code,
        tlsRefusal.test(message)
          ? `${what}: TLS with ${asked} failed (${message}): check OUTBOUND_KAFKA_TLS and OUTBOUND_KAFKA_TLS_CA`
          : `${what}: the brokers refuse the login (${message}): check OUTBOUND_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD`,
      );
    case 'KAFKA_FORBIDDEN':
      return told(
        code,
        `${what}: the brokers do not allow this user to do that (${message}): grant DESCRIBE and READ on topics and groups`,
      );
    case 'KAFKA_TOPIC_MISSING':
      return topicMissing(what, thrown);
    case 'KAFKA_PARTITION_MISSING':
      return told('PARTITION_MISSING', message, exitCodes.usage);
    case 'KAFKA_GROUP_NOT_EMPTY':
      return told('GROUP_NOT_EMPTY', message, exitCodes.busy);
    default:
      return told('KAFKA_FAILED', `${what}: ${message}`, exitCodes.failed);
  }
}

/** @param what `topic x` */
export function topicMissing(what: string, cause?: unknown): CliError {
  return new CliError(
    'TOPIC_MISSING',
    `${what} does not exist: check the name and OUTBOUND_TOPIC_PREFIX (nothing is ever created by asking for it)`,
    { exitCode: exitCodes.usage, cause },
  );
}
