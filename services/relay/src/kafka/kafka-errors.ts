import { RelayError, type RelayErrorCode } from '../errors.ts';

interface KafkaCode {
  readonly name: string;
  readonly means: RelayErrorCode;
}

/** Kafka's error codes that a producer can meet, with what they mean for the relay. Source: https://kafka.apache.org/protocol#protocol_error_codes */
const kafkaCodes: ReadonlyMap<number, KafkaCode> = new Map([
  ...group('SINK_PARTITION_UNAVAILABLE', {
    UNKNOWN_SERVER_ERROR: -1,
    LEADER_NOT_AVAILABLE: 5,
    REQUEST_TIMED_OUT: 7,
    BROKER_NOT_AVAILABLE: 8,
    REPLICA_NOT_AVAILABLE: 9,
    NOT_ENOUGH_REPLICAS: 19,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
    KAFKA_STORAGE_ERROR: 56,
  }),
  // The first of these is what a broker says of a topic that it has not heard of yet, or no longer: `BrokerDirectory` tells them apart.
  ...group('SINK_UNAVAILABLE', {
    UNKNOWN_TOPIC_OR_PARTITION: 3,
    CORRUPT_MESSAGE: 2,
    NOT_LEADER_OR_FOLLOWER: 6,
    NETWORK_EXCEPTION: 13,
    COORDINATOR_LOAD_IN_PROGRESS: 14,
    COORDINATOR_NOT_AVAILABLE: 15,
    NOT_COORDINATOR: 16,
    NOT_CONTROLLER: 41,
    CONCURRENT_TRANSACTIONS: 51,
    FENCED_LEADER_EPOCH: 74,
    UNKNOWN_LEADER_EPOCH: 75,
    THROTTLING_QUOTA_EXCEEDED: 89,
  }),
  ...group('SINK_AUTH_FAILED', {
    TOPIC_AUTHORIZATION_FAILED: 29,
    GROUP_AUTHORIZATION_FAILED: 30,
    CLUSTER_AUTHORIZATION_FAILED: 31,
    UNSUPPORTED_SASL_MECHANISM: 33,
    ILLEGAL_SASL_STATE: 34,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
    SECURITY_DISABLED: 54,
    SASL_AUTHENTICATION_FAILED: 58,
  }),
  ...group('SINK_SESSION_BROKEN', {
    OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
    INVALID_PRODUCER_ID_MAPPING: 49,
    UNKNOWN_PRODUCER_ID: 59,
  }),
  ...group('SINK_FENCED', { INVALID_PRODUCER_EPOCH: 47, PRODUCER_FENCED: 90 }),
  ...group('SINK_REJECTED', {
    MESSAGE_TOO_LARGE: 10,
    INVALID_TOPIC_EXCEPTION: 17,
    RECORD_LIST_TOO_LARGE: 18,
    INVALID_REQUIRED_ACKS: 21,
    INVALID_TIMESTAMP: 32,
    UNSUPPORTED_VERSION: 35,
    INVALID_REQUEST: 42,
    UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
    POLICY_VIOLATION: 44,
    UNSUPPORTED_COMPRESSION_TYPE: 76,
    INVALID_RECORD: 87,
  }),
]);

/** The broker has the batch already and says so without its offset: as good as a confirmation. */
export const duplicateSequenceNumber = 46;
export const unknownTopicOrPartition = 3;

function group(means: RelayErrorCode, codes: Record<string, number>): [number, KafkaCode][] {
  return Object.entries(codes).map(([name, code]) => [code, { name, means }]);
}

/** What a code of a broker's answer means. A code that is not known stops the relay: what heals by itself is a short list (I8). */
export function kafkaCode(code: number): KafkaCode {
  return kafkaCodes.get(code) ?? { name: `Kafka error ${code}`, means: 'SINK_REJECTED' };
}

/** The error for an answer about `what`, such as a partition; `detail` is the broker's own text, if it gave one. */
export function errorFromCode(code: number, what: string, detail?: string | null): RelayError {
  const { name, means } = kafkaCode(code);
  return new RelayError(means, `${what}: ${name}${detail ? ` (${detail})` : ''}`);
}

const tlsRefusal =
  /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT_ALTNAME|ERR_SSL_TLSV1_ALERT|HOSTNAME_MISMATCH)/;

/**
 * What a thrown value of kafkajs means, with the broker it is about. Certificates and credentials that are refused stop the relay;
 * every other trouble with a connection is tried again. What is not of Kafka is given back as it is.
 */
export function errorFromKafkajs(thrown: unknown, broker: string): unknown {
  if (thrown instanceof RelayError || !(thrown instanceof Error)) return thrown;
  const { name, code } = thrown as { name: string; code?: unknown };
  const options = { cause: thrown };
  switch (name) {
    case 'KafkaJSSASLAuthenticationError':
      return new RelayError('SINK_AUTH_FAILED', `broker ${broker}: ${thrown.message}`, options);
    case 'KafkaJSConnectionError':
    case 'KafkaJSConnectionClosedError':
    case 'KafkaJSRequestTimeoutError':
    case 'KafkaJSLockTimeout':
      return new RelayError(
        typeof code === 'string' && tlsRefusal.test(code) ? 'SINK_AUTH_FAILED' : 'SINK_UNAVAILABLE',
        `broker ${broker}: ${thrown.message}`,
        options,
      );
    case 'KafkaJSProtocolError':
      return errorFromCode(typeof code === 'number' ? code : -1, `broker ${broker}`);
    default:
      return thrown;
  }
}
