import type { OwnApi } from '../connection/own-api.ts';
import { groupByTopic } from '../ports/partition.ts';
import type { FetchedPartition, FetchPosition, FetchRequest } from '../ports/topic-log.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

export interface FetchAnswer {
  readonly throttleMs: number;
  /** Of the whole answer; 0 is fine. */
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

/** What is fetched, and whether records of open and aborted transactions are to come too. */
export interface FetchQuestion extends FetchRequest {
  readonly isolation: 'committed' | 'uncommitted';
}

/**
 * Fetch with the leader's epoch (version 9, Kafka 2.1, to 11), without a fetch session. Ours because kafkajs' reading
 * throws at the first partition with an error, decodes what is to be decoded later, and drops the bounds of batches.
 * Source: https://kafka.apache.org/protocol#The_Messages_Fetch
 */
export const fetchApi: OwnApi<FetchQuestion, FetchAnswer> = {
  name: 'Fetch',
  key: 1,
  versions: [11, 10, 9],
  flexibleFrom: 12,
  encode({ positions, maxWaitMs, minBytes, maxBytes, maxBytesPerPartition, isolation }, version) {
    const writer = new ByteWriter();
    writer
      .int32(-1) // no replica
      .int32(maxWaitMs)
      .int32(minBytes)
      .int32(maxBytes)
      .int8(isolation === 'committed' ? 1 : 0)
      .int32(0) // no session
      .int32(-1)
      .array(inRuns(positions), ({ topic, entries }) =>
        writer.string(topic).array(entries, ({ partition, leaderEpoch, offset }) =>
          writer
            .int32(partition)
            .int32(leaderEpoch)
            .int64(offset)
            .int64(-1n) // log start, of followers
            .int32(maxBytesPerPartition),
        ),
      )
      .int32(0); // nothing of a session is forgotten
    if (version >= 11) writer.string(''); // no rack
    return writer.written();
  },
  decode(cursor, version) {
    const throttleMs = cursor.int32();
    const errorCode = cursor.int16();
    cursor.int32(); // session
    const partitions = cursor
      .array(() => {
        const topic = cursor.string();
        return cursor.array((): FetchedPartition => {
          const partition = cursor.int32();
          const code = cursor.int16();
          const highWatermark = cursor.int64();
          const lastStableOffset = cursor.int64();
          const logStartOffset = cursor.int64();
          const aborted = cursor.array(() => ({
            producerId: cursor.int64(),
            firstOffset: cursor.int64(),
          }));
          if (version >= 11) cursor.int32(); // preferred replica: we name no rack
          return {
            ...{ topic, partition, errorCode: code },
            ...{ highWatermark, lastStableOffset, logStartOffset, aborted },
            recordSet: cursor.bytes(),
          };
        });
      })
      .flat();
    return { throttleMs, errorCode, partitions };
  },
};

/**
 * Neighbours of one topic together. The order stays: a broker fills its answer in the order of the request, so
 * whoever asks may take turns.
 */
function inRuns(positions: readonly FetchPosition[]) {
  const runs: FetchPosition[][] = [];
  for (const position of positions) {
    const last = runs.at(-1);
    if (last?.[0]?.topic === position.topic) last.push(position);
    else runs.push([position]);
  }
  return runs.flatMap(groupByTopic);
}
