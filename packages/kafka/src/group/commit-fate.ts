import { KafkaError } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import { groupCode, groupFailure, groupVerdict } from './group-codes.ts';

/**
 * A commit of a topic that the coordinator does not know (yet) is tried this often; what was deleted does not come
 * back by itself.
 */
const unknownTopicTries = 5;

/** Kafka's codes for a commit that no repetition makes better. */
const refusals = new Map([
  [12, 'its metadata is larger than offset.metadata.max.bytes'],
  [28, 'it is larger than a record of the offsets topic may be'],
]);

/**
 * What becomes of one partition's commit: it is `done`; it is sent `again`, unless the member makes something else of
 * the code and the partition goes; or it has failed for good.
 * @param code undefined: the answer did not name the partition.
 * @param tries how often it was sent before.
 */
export function commitFate(
  partition: TopicPartition,
  code: number | undefined,
  tries: number,
): 'done' | 'again' | KafkaError {
  if (code === groupCode.none) return 'done';
  if (code === undefined) return 'again';
  const key = partitionKey(partition);
  const refusal = refusals.get(code);
  if (refusal !== undefined)
    return new KafkaError('KAFKA_REJECTED', `the commit on ${key} was refused: ${refusal}`, {
      kafkaCode: code,
    });
  if (code === groupCode.unknownTopicOrPartition && tries >= unknownTopicTries)
    return new KafkaError(
      'KAFKA_TOPIC_MISSING',
      `nothing can be committed on ${key}: the coordinator does not know it`,
      { kafkaCode: code },
    );
  if (code === groupCode.fencedInstance) return groupFailure(code);
  if (code === groupCode.groupForbidden || code === groupCode.topicForbidden)
    return new KafkaError(
      'KAFKA_FORBIDDEN',
      `the commit on ${key} was refused: ${groupFailure(code).message}`,
      { kafkaCode: code },
    );
  if (groupVerdict(code) === 'fail')
    return new KafkaError('KAFKA_REJECTED', `the commit on ${key} was refused with code ${code}`, {
      kafkaCode: code,
    });
  return 'again';
}

/** @param keys of partitions, or of lives of them, that are not ours any more. */
export function notOurs(keys: readonly string[]): KafkaError {
  return new KafkaError(
    'KAFKA_NOT_OURS',
    `nothing was committed on ${keys.join(', ')}: the group has given it to somebody else, or is about to`,
  );
}
