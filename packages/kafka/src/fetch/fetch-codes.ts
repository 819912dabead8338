import { KafkaError, type KafkaErrorCode } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';

export const offsetOutOfRange = 1;
export const unknownTopicOrPartition = 3;

/** Codes that mean no more than "look for the leader, and ask again"; for messages. Any other code that is no verdict is treated the same. */
const passing: Readonly<Record<number, string>> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  1: 'OFFSET_OUT_OF_RANGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  9: 'REPLICA_NOT_AVAILABLE',
  56: 'KAFKA_STORAGE_ERROR',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
  78: 'OFFSET_NOT_AVAILABLE',
  100: 'UNKNOWN_TOPIC_ID',
  103: 'INCONSISTENT_TOPIC_ID',
};

/** Codes after which asking again gives the same answer until a person has done something. */
const verdicts: Readonly<Record<number, readonly [KafkaErrorCode, string]>> = {
  2: [
    'KAFKA_RECORDS_UNREADABLE',
    'CORRUPT_MESSAGE: its leader cannot read its own log; look at its disk',
  ],
  17: ['KAFKA_REJECTED', 'INVALID_TOPIC_EXCEPTION: no topic can have this name'],
  29: [
    'KAFKA_FORBIDDEN',
    'TOPIC_AUTHORIZATION_FAILED: grant this user READ and DESCRIBE on the topic',
  ],
  31: ['KAFKA_FORBIDDEN', 'CLUSTER_AUTHORIZATION_FAILED: grant this user what the cluster asks'],
  35: ['KAFKA_UNSUPPORTED', 'UNSUPPORTED_VERSION: the broker speaks no version of this request'],
  42: ['KAFKA_REJECTED', 'INVALID_REQUEST'],
  43: [
    'KAFKA_UNSUPPORTED',
    'UNSUPPORTED_FOR_MESSAGE_FORMAT: its records are of a format before 0.10',
  ],
  76: [
    'KAFKA_UNSUPPORTED',
    'UNSUPPORTED_COMPRESSION_TYPE: the broker does not hand out its records in their compression',
  ],
};

/** A code as people look it up. */
export function codeName(errorCode: number): string {
  const name = passing[errorCode];
  return name === undefined ? `Kafka's error ${errorCode}` : `${name} (${errorCode})`;
}

/** The error of a code that only a person can do something about; undefined for one that passes. */
export function verdictOf(
  where: TopicPartition | string,
  errorCode: number,
): KafkaError | undefined {
  const verdict = verdicts[errorCode];
  if (!verdict) return undefined;
  const [code, meaning] = verdict;
  const name = typeof where === 'string' ? where : partitionKey(where);
  return new KafkaError(code, `reading ${name} was refused: ${meaning}`, {
    kafkaCode: errorCode,
  });
}

/** True for an error of a whole answer that goes by itself: nobody answered, or the broker could not for now. */
export function isPassing({ code }: KafkaError): boolean {
  return code === 'KAFKA_UNAVAILABLE' || code === 'KAFKA_PARTITION_UNAVAILABLE';
}
