import {
  partitionKey,
  type KafkaError,
  type TopicChange,
  type TopicPartition,
} from '@outbound/kafka';
import { ConsumerError } from '../errors.ts';

/** READ_REFUSED for verdicts of brokers; what else the layer says stays as it is. */
export function refusal(error: KafkaError): Error {
  return ['KAFKA_FORBIDDEN', 'KAFKA_REJECTED', 'KAFKA_UNSUPPORTED'].includes(error.code)
    ? new ConsumerError('READ_REFUSED', error.message, { cause: error })
    : error;
}

/** POSITION_UNKNOWN: the log ends before what was read of it. */
export function lostEnd(partition: TopicPartition, end: bigint, position: bigint): ConsumerError {
  return new ConsumerError(
    'POSITION_UNKNOWN',
    `${partitionKey(partition)} ends at offset ${end}, and was read up to ${position}: the topic was made anew or has lost its end, so begin again from nothing`,
  );
}

/** Why reading cannot go on after this change of the topic; undefined if it can. */
export function topicVerdict(topic: string, { kind }: TopicChange): ConsumerError | undefined {
  switch (kind) {
    case 'gone':
      return new ConsumerError('TOPIC_MISSING', `${topic} was deleted while it was read`);
    case 'made-again':
      return new ConsumerError(
        'POSITION_UNKNOWN',
        `${topic} was deleted and made again: what was read of it is of another topic, so begin again from nothing`,
      );
    case 'back':
    case 'grown':
      return undefined;
  }
}
