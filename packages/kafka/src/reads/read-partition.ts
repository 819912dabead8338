import type { Cluster } from '../cluster/cluster.ts';
import { decodeRecords } from '../fetch/decode-records.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { KafkaRecord } from '../records/kafka-record.ts';
import { BrokerTopicLog } from './broker-topic-log.ts';

const fetchBytes = 1024 * 1024;

/**
 * Reads one partition from its first record to the end that it has now, all of it or an error: for what must be known
 * whole before something begins. `leader` is who leads it, as last heard. Nothing is tried again here.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_PARTITION_UNAVAILABLE where the end cannot be told or not be reached
 * (no leader, a new leader that does not know its end yet, somebody's open transaction); KAFKA_FORBIDDEN;
 * KAFKA_RECORDS_UNREADABLE.
 */
export async function readPartition(
  cluster: Cluster,
  leader: number,
  at: TopicPartition,
  onRecords: (records: readonly KafkaRecord[]) => void,
): Promise<void> {
  const name = `partition ${partitionKey(at)}`;
  if (leader < 0) throw new KafkaError('KAFKA_PARTITION_UNAVAILABLE', `${name} has no leader`);
  const log = new BrokerTopicLog(cluster);
  const offsetAt = async (which: 'earliest' | 'end' | 'stable-end'): Promise<bigint> => {
    const [answer] = await log.offsets(leader, [at], which);
    if (!answer || answer.errorCode !== 0) throw errorFromCode(answer?.errorCode ?? -1, name);
    return answer.offset;
  };
  const end = await offsetAt('end');
  if ((await offsetAt('stable-end')) < end)
    throw new KafkaError(
      'KAFKA_PARTITION_UNAVAILABLE',
      `${name} cannot be read to its end: somebody's transaction is open in it`,
    );
  for (let offset = await offsetAt('earliest'); offset < end;) {
    const [fetched] = await log.fetch(leader, {
      positions: [{ ...at, offset, leaderEpoch: -1 }],
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: fetchBytes,
      maxBytesPerPartition: fetchBytes,
    });
    // A quota speaks: asked again, it answers when it likes.
    if (!fetched) continue;
    if (fetched.errorCode !== 0) throw errorFromCode(fetched.errorCode, name);
    const { records, next } = decodeRecords(fetched, offset);
    if (next <= offset)
      throw new KafkaError(
        'KAFKA_PARTITION_UNAVAILABLE',
        `${name} gives nothing at offset ${offset}, though its end is ${end}`,
      );
    onRecords(records);
    offset = next;
  }
}
