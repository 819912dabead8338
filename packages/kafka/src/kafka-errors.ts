import { connectionFault } from '@outbound/service-kit';
import { KafkaError, type KafkaErrorCode } from './kafka-error.ts';

interface KafkaCode {
  readonly name: string;
  readonly means: KafkaErrorCode;
}

/** Kafka's error codes that we can meet, with what they mean to whoever needed a confirmation or a value. Source: https://kafka.apache.org/protocol#protocol_error_codes */
const kafkaCodes: ReadonlyMap<number, KafkaCode> = new Map([
  ...group('KAFKA_PARTITION_UNAVAILABLE', {
    UNKNOWN_SERVER_ERROR: -1,
    LEADER_NOT_AVAILABLE: 5,
    REQUEST_TIMED_OUT: 7,
    BROKER_NOT_AVAILABLE: 8,
    REPLICA_NOT_AVAILABLE: 9,
    NOT_ENOUGH_REPLICAS: 19,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
    KAFKA_STORAGE_ERROR: 56,
  }),
  // The first of these is what a broker says of a topic that it has not heard of yet, or no longer: `TopicDirectory` tells them apart.
  ...group('KAFKA_UNAVAILABLE', {
    UNKNOWN_TOPIC_OR_PARTITION: 3,
    CORRUPT_MESSAGE: 2,
    NOT_LEADER_OR_FOLLOWER: 6,
    NETWORK_EXCEPTION: 13,
    COORDINATOR_LOAD_IN_PROGRESS: 14,
    COORDINATOR_NOT_AVAILABLE: 15,
    NOT_COORDINATOR: 16,
    NOT_CONTROLLER: 41,
    CONCURRENT_TRANSACTIONS: 51,
    OPERATION_NOT_ATTEMPTED: 55,
    FENCED_LEADER_EPOCH: 74,
    UNKNOWN_LEADER_EPOCH: 75,
    UNSTABLE_OFFSET_COMMIT: 88,
    THROTTLING_QUOTA_EXCEEDED: 89,
    UNKNOWN_TOPIC_ID: 100,
  }),
  ...group('KAFKA_FORBIDDEN', {
    TOPIC_AUTHORIZATION_FAILED: 29,
    GROUP_AUTHORIZATION_FAILED: 30,
    CLUSTER_AUTHORIZATION_FAILED: 31,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  }),
  ...group('KAFKA_AUTH_FAILED', {
    UNSUPPORTED_SASL_MECHANISM: 33,
    ILLEGAL_SASL_STATE: 34,
    SECURITY_DISABLED: 54,
    SASL_AUTHENTICATION_FAILED: 58,
  }),
  ...group('KAFKA_PRODUCER_LOST', {
    OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
    INVALID_TXN_STATE: 48,
    INVALID_PRODUCER_ID_MAPPING: 49,
    UNKNOWN_PRODUCER_ID: 59,
    TRANSACTION_ABORTABLE: 120,
  }),
  ...group('KAFKA_FENCED', {
    INVALID_PRODUCER_EPOCH: 47,
    FENCED_INSTANCE_ID: 82,
    PRODUCER_FENCED: 90,
  }),
  ...group('KAFKA_GROUP_NOT_EMPTY', { NON_EMPTY_GROUP: 68 }),
  ...group('KAFKA_REJECTED', {
    OFFSET_OUT_OF_RANGE: 1,
    MESSAGE_TOO_LARGE: 10,
    INVALID_TOPIC_EXCEPTION: 17,
    RECORD_LIST_TOO_LARGE: 18,
    INVALID_REQUIRED_ACKS: 21,
    ILLEGAL_GENERATION: 22,
    INCONSISTENT_GROUP_PROTOCOL: 23,
    INVALID_GROUP_ID: 24,
    UNKNOWN_MEMBER_ID: 25,
    INVALID_SESSION_TIMEOUT: 26,
    REBALANCE_IN_PROGRESS: 27,
    INVALID_COMMIT_OFFSET_SIZE: 28,
    INVALID_TIMESTAMP: 32,
    UNSUPPORTED_VERSION: 35,
    TOPIC_ALREADY_EXISTS: 36,
    INVALID_PARTITIONS: 37,
    INVALID_REPLICATION_FACTOR: 38,
    INVALID_REPLICA_ASSIGNMENT: 39,
    INVALID_CONFIG: 40,
    INVALID_REQUEST: 42,
    UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
    POLICY_VIOLATION: 44,
    INVALID_TRANSACTION_TIMEOUT: 50,
    GROUP_ID_NOT_FOUND: 69,
    UNSUPPORTED_COMPRESSION_TYPE: 76,
    MEMBER_ID_REQUIRED: 79,
    GROUP_MAX_SIZE_REACHED: 81,
    INVALID_RECORD: 87,
  }),
]);

/** The broker has the batch already and says so without its offset: as good as a confirmation. */
export const duplicateSequenceNumber = 46;
export const unknownTopicOrPartition = 3;
/** The transaction before is still being ended: asked again, it is answered. */
export const concurrentTransactions = 51;
/** Other partitions of the same request are why. */
export const operationNotAttempted = 55;

/** What brokers refuse a batch by for what is in it: others of its partition are taken, and nothing of it was stored. */
const recordRefusals: ReadonlySet<number> = new Set([
  10, // MESSAGE_TOO_LARGE
  18, // RECORD_LIST_TOO_LARGE
  32, // INVALID_TIMESTAMP
  87, // INVALID_RECORD
]);

/** Whether a code of a Produce answer is about the records themselves: sent again they are refused again, and no other code says so. */
export function refusesRecords(code: number): boolean {
  return recordRefusals.has(code);
}

/** Whether such a code is about the size of the batch: of one record, every larger one is refused as well. */
export function refusesSize(code: number): boolean {
  return code === 10 || code === 18;
}

/** Whether such a code is about each record that the answer names, and not about the batch as a whole, such as its size. */
export function refusesNamedRecords(code: number): boolean {
  return code === 32 || code === 87;
}

function group(means: KafkaErrorCode, codes: Record<string, number>): [number, KafkaCode][] {
  return Object.entries(codes).map(([name, code]) => [code, { name, means }]);
}

/** What a code of a broker's answer means. A code that is not known is a verdict: what heals by itself is a short list (I8). */
export function kafkaCode(code: number): KafkaCode {
  return kafkaCodes.get(code) ?? { name: `Kafka error ${code}`, means: 'KAFKA_REJECTED' };
}

/** The error for an answer about `what`, such as a partition; `detail` is the broker's own text, if it gave one. */
export function errorFromCode(code: number, what: string, detail?: string | null): KafkaError {
  const { name, means } = kafkaCode(code);
  return new KafkaError(means, `${what}: ${name}${detail ? ` (${detail})` : ''}`, {
    kafkaCode: code,
  });
}

/**
 * What a thrown value of kafkajs means, with the broker it is about. Certificates and credentials that are refused are a verdict; every other trouble with a
 * connection passes. What is not of Kafka is given back as it is.
 */
export function errorFromKafkajs(thrown: unknown, broker: string): unknown {
  if (thrown instanceof KafkaError || !(thrown instanceof Error)) return thrown;
  const { name, code } = thrown as { name: string; code?: unknown };
  const options = { cause: thrown };
  switch (name) {
    case 'KafkaJSSASLAuthenticationError':
      return new KafkaError('KAFKA_AUTH_FAILED', `broker ${broker}: ${thrown.message}`, options);
    case 'KafkaJSConnectionError':
    case 'KafkaJSConnectionClosedError':
    case 'KafkaJSRequestTimeoutError':
    case 'KafkaJSLockTimeout':
      return new KafkaError(
        connectionFault(thrown) === 'certificate' ? 'KAFKA_AUTH_FAILED' : 'KAFKA_UNAVAILABLE',
        `broker ${broker}: ${thrown.message}`,
        options,
      );
    case 'KafkaJSProtocolError':
      return errorFromCode(typeof code === 'number' ? code : -1, `broker ${broker}`);
    default:
      return thrown;
  }
}

/**
 * What the end of a SASL exchange means. kafkajs calls every end a refused login and keeps only its words: what it failed by is what was thrown at it meanwhile. A broker
 * that closes the connection or falls silent (it is being restarted) is unavailable; only what it says, or a proof that it does not have, is a verdict.
 */
export function errorFromLogin(thrown: unknown, failedBy: unknown, broker: string): unknown {
  const cause = errorFromKafkajs(failedBy, broker);
  const isVerdict = !(cause instanceof KafkaError) || cause.code === 'KAFKA_AUTH_FAILED';
  return isVerdict ? errorFromKafkajs(thrown, broker) : cause;
}
