import type { FetchedPartition } from '../ports/topic-log.ts';
import { AnswerReader, type DecodedRecords } from './answer-reader.ts';

/**
 * All records of a partition's answer at once (`AnswerReader`).
 * @throws KafkaError KAFKA_RECORDS_UNREADABLE, naming partition, offset and what is in the way
 */
export function decodeRecords(
  fetched: Pick<FetchedPartition, 'topic' | 'partition' | 'recordSet' | 'aborted'>,
  from: bigint,
): DecodedRecords {
  return new AnswerReader(fetched, from).read(Infinity);
}
