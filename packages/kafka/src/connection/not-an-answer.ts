import { KafkaError } from '../kafka-error.ts';
import { errorFromKafkajs } from '../kafka-errors.ts';

/**
 * What it means that an answer can't be read: the broker's own word, if that is what was thrown, else
 * KAFKA_UNAVAILABLE. Whoever sends such bytes is no Kafka, or was cut off in the middle; the connection is given up,
 * and asking again heals it.
 * @param request its name, with the version where that is known.
 */
export function notAnAnswer(cause: unknown, address: string, request: string): KafkaError {
  const error = errorFromKafkajs(cause, address);
  if (error instanceof KafkaError) return error;
  return new KafkaError(
    'KAFKA_UNAVAILABLE',
    `broker ${address}: its answer to ${request} is not one (${String(cause)})`,
    { cause },
  );
}
