import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { KafkaRecord } from '../records/kafka-record.ts';
import { BrokerTopicLog } from './broker-topic-log.ts';
import { readRange } from './read-on.ts';

const transactionPauseMs = 20;

export interface ReadingOfEnd {
  readonly last?: bigint | undefined;
  readonly waitMs?: number;
}

/**
 * Reads one partition from its first record to the end that it has now, all of it or an error: for what must be known
 * whole before something begins. Reads on when `onRecords` is done. With `last`, only that many offsets before the end. What was aborted is not among
 * the records. For transactions that are open before the end `waitMs` are waited, by default not at all. `leader` is
 * who leads it, as last heard. Nothing else is tried again here. Gives whether that was the whole partition.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_PARTITION_UNAVAILABLE where the end cannot be told or not be reached
 * (no leader, a new leader that does not know its end yet, somebody's open transaction, records that were removed before
 * they were read); KAFKA_FORBIDDEN; KAFKA_RECORDS_UNREADABLE.
 */
export async function readPartition(
  cluster: Cluster,
  leader: number,
  at: TopicPartition,
  onRecords: (records: readonly KafkaRecord[]) => void | Promise<void>,
  how: ReadingOfEnd = {},
): Promise<boolean> {
  const name = `partition ${partitionKey(at)}`;
  if (leader < 0) throw new KafkaError('KAFKA_PARTITION_UNAVAILABLE', `${name} has no leader`);
  const log = new BrokerTopicLog(cluster);
  try {
    return await readToEnd(log, leader, at, { onRecords, ...how });
  } finally {
    log.close();
  }
}

async function readToEnd(
  log: BrokerTopicLog,
  leader: number,
  at: TopicPartition,
  {
    onRecords,
    last,
    waitMs = 0,
  }: ReadingOfEnd & {
    readonly onRecords: (records: readonly KafkaRecord[]) => void | Promise<void>;
  },
): Promise<boolean> {
  const name = `partition ${partitionKey(at)}`;
  const offsetAt = async (which: 'earliest' | 'end' | 'stable-end'): Promise<bigint> => {
    const [answer] = await log.offsets(leader, [at], which);
    if (!answer || answer.errorCode !== 0) throw errorFromCode(answer?.errorCode ?? -1, name);
    return answer.offset;
  };
  const end = await offsetAt('end');
  const deadlineMs = performance.now() + waitMs;
  while ((await offsetAt('stable-end')) < end) {
    if (performance.now() >= deadlineMs)
      throw new KafkaError(
        'KAFKA_PARTITION_UNAVAILABLE',
        `${name} cannot be read to its end: somebody's transaction is open in it`,
      );
    await delay(transactionPauseMs);
  }
  const first = await offsetAt('earliest');
  const isWhole = last === undefined || end - last <= first;
  await readRange(
    log,
    leader,
    { ...at, from: isWhole ? first : end - last, end },
    async (records) => {
      await onRecords(records);
      return true;
    },
  );
  return isWhole;
}
