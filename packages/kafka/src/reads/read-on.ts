import { decodeRecords } from '../fetch/decode-records.ts';
import { offsetOutOfRange } from '../fetch/fetch-codes.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { TopicLog } from '../ports/topic-log.ts';
import type { KafkaRecord } from '../records/kafka-record.ts';

const fetchBytes = 1024 * 1024;

/** Takes records of a partition in order; false: enough. */
export type TakeRecords = (records: readonly KafkaRecord[]) => boolean | Promise<boolean>;

/**
 * Reads one partition from this offset (or the first that is there) to the end that it has now, or until `take` has
 * enough; gives where it ended. Nothing is tried again here.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_PARTITION_UNAVAILABLE where the end cannot be told or not be reached
 * (no leader, a new leader that does not know its end yet, somebody's open transaction, records that were removed before
 * they were read); KAFKA_FORBIDDEN; KAFKA_RECORDS_UNREADABLE.
 */
export async function readOn(
  log: Pick<TopicLog, 'offsets' | 'fetch'>,
  leader: number,
  { offset: from, ...at }: TopicPartition & { readonly offset: bigint },
  take: TakeRecords,
): Promise<bigint> {
  const name = `partition ${partitionKey(at)}`;
  if (leader < 0) throw new KafkaError('KAFKA_PARTITION_UNAVAILABLE', `${name} has no leader`);
  const offsetAt = async (which: 'earliest' | 'end' | 'stable-end'): Promise<bigint> => {
    const [answer] = await log.offsets(leader, [at], which);
    if (!answer || answer.errorCode !== 0) throw errorFromCode(answer?.errorCode ?? -1, name);
    return answer.offset;
  };
  const end = await offsetAt('end');
  if (from >= end) return from;
  if ((await offsetAt('stable-end')) < end)
    throw new KafkaError(
      'KAFKA_PARTITION_UNAVAILABLE',
      `${name} cannot be read to its end: somebody's transaction is open in it`,
    );
  const first = await offsetAt('earliest');
  return readRange(log, leader, { ...at, from: from > first ? from : first, end }, take);
}

/** Reads what is between two offsets, or until `take` has enough; gives where it ended. @throws KafkaError as `readOn` */
export async function readRange(
  log: Pick<TopicLog, 'fetch'>,
  leader: number,
  { from, end, ...at }: TopicPartition & { readonly from: bigint; readonly end: bigint },
  take: TakeRecords,
): Promise<bigint> {
  const name = `partition ${partitionKey(at)}`;
  let offset = from;
  while (offset < end) {
    const [fetched] = await log.fetch(leader, {
      positions: [{ ...at, offset, leaderEpoch: -1 }],
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: fetchBytes,
      maxBytesPerPartition: fetchBytes,
    });
    // A quota speaks: asked again, it answers when it likes.
    if (!fetched) continue;
    if (fetched.errorCode === offsetOutOfRange)
      throw new KafkaError(
        'KAFKA_PARTITION_UNAVAILABLE',
        `${name}: OFFSET_OUT_OF_RANGE: records from offset ${offset} on were removed while it was read (retention?)`,
        { kafkaCode: offsetOutOfRange },
      );
    if (fetched.errorCode !== 0) throw errorFromCode(fetched.errorCode, name);
    const { records, next } = decodeRecords(fetched, offset);
    if (next <= offset)
      throw new KafkaError(
        'KAFKA_PARTITION_UNAVAILABLE',
        `${name} gives nothing at offset ${offset}, though its end is ${end}`,
      );
    if (!(await take(records))) return next;
    offset = next;
  }
  return offset;
}
