import { CliError, exitCodes } from '../exit-codes.ts';

/** The fields of kafkajs' errors that are looked at. */
interface KafkajsError {
  readonly name: string;
  readonly type?: unknown;
  readonly cause?: unknown;
}

const notReached =
  /^KafkaJS(Connection|ConnectionClosed|RequestTimeout|BrokerNotFound|GroupCoordinatorNotFound|LockTimeout|Timeout|MetadataNotLoaded|TopicMetadataNotLoaded)(Error)?$/;
const tlsRefusal = /certificate|self.signed|altnames|wrong version number|tls alert|ssl alert/i;

/**
 * What a thrown value of kafkajs means at the command line. Kafka that does not answer is exit code 5; what is not kafkajs' stays as it is.
 * @param what what was asked for, such as `topic catalog.product`: it begins the sentence.
 * @param brokers where it was asked; named when nobody answered.
 */
export function kafkaCliError(thrown: unknown, what: string, brokers: readonly string[]): Error {
  const error = innermost(thrown);
  // Of Postgres, a disk, or ourselves: not Kafka's.
  if (thrown instanceof Error && !error.name.startsWith('KafkaJS')) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const options = { exitCode: exitCodes.unavailable, cause: thrown };
  const asked = brokers.join(', ');
  if (error.name === 'KafkaJSSASLAuthenticationError')
    return new CliError(
      'KAFKA_AUTH_FAILED',
      `${what}: the brokers refuse the login (${message}): check OUTBOUND_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD`,
      options,
    );
  if (notReached.test(error.name)) {
    if (tlsRefusal.test(message))
      return new CliError(
        'KAFKA_AUTH_FAILED',
        `${what}: TLS with ${asked} failed (${message}): check OUTBOUND_KAFKA_TLS and OUTBOUND_KAFKA_TLS_CA`,
        options,
      );
    return notAnswering(what, brokers, message, thrown);
  }
  const type = typeof error.type === 'string' ? error.type : undefined;
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return topicMissing(what);
  if (type?.endsWith('AUTHORIZATION_FAILED') === true)
    return new CliError(
      'KAFKA_FORBIDDEN',
      `${what}: the brokers do not allow this user to do that (${type}): grant DESCRIBE and READ on topics and groups`,
      { exitCode: exitCodes.unavailable, cause: thrown },
    );
  return new CliError('KAFKA_FAILED', `${what}: ${type ?? error.name}: ${message}`, {
    cause: thrown,
  });
}

/** Exit code 5. @param why the client's own words */
export function notAnswering(
  what: string,
  brokers: readonly string[],
  why: string,
  cause?: unknown,
): CliError {
  return new CliError(
    'KAFKA_UNAVAILABLE',
    `${what}: Kafka at ${brokers.join(', ')} does not answer (${why}): check that it runs and what OUTBOUND_KAFKA_BROKERS says; if the first connection works and this does not, the advertised listeners cannot be reached from here (outbound doctor)`,
    { exitCode: exitCodes.unavailable, cause },
  );
}

/** @param what `topic x` */
export function topicMissing(what: string): CliError {
  return new CliError(
    'TOPIC_MISSING',
    `${what} does not exist: check the name and OUTBOUND_TOPIC_PREFIX (nothing is ever created by asking for it)`,
    { exitCode: exitCodes.usage },
  );
}

/** kafkajs wraps what it gave up on, the last cause inside. */
function innermost(thrown: unknown): KafkajsError {
  let error: KafkajsError = thrown instanceof Error ? thrown : { name: 'Error' };
  while (error.name === 'KafkaJSNumberOfRetriesExceeded' && error.cause instanceof Error)
    error = error.cause;
  return error;
}
