import type { OwnApi } from '../connection/own-api.ts';
import { groupByTopic } from '../ports/partition.ts';
import type {
  AbortedTransaction,
  FetchedPartition,
  FetchPosition,
  FetchRequest,
} from '../ports/topic-log.ts';
import { noTopicId } from './metadata-api.ts';
import type { ByteCursor } from '../wire/byte-cursor.ts';
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
 * Fetch by topic ids (version 13, Kafka 3.1) where every position has one, so that what is asked of one topic is never
 * answered with another one that has its name by now; else by names, with the leader's epoch (version 9, Kafka 2.1, to
 * 11). Without a fetch session. Ours because kafkajs' reading throws at the first partition with an error, decodes what
 * is to be decoded later, and drops the bounds of batches.
 * Source: https://kafka.apache.org/protocol#The_Messages_Fetch
 * @param asked the positions of the question: an answer by ids has no names.
 */
export function fetchApi(asked: readonly FetchPosition[]): OwnApi<FetchQuestion, FetchAnswer> {
  const names = new Map(asked.map(({ topicId, topic }) => [topicId, topic]));
  return {
    name: 'Fetch',
    key: 1,
    versions: names.has(undefined) ? [11, 10, 9] : [13, 11, 10, 9],
    flexibleFrom: 12,
    encode: (question, version) =>
      version === 13 ? encode13(question) : encode11(question, version),
    decode: (cursor, version) =>
      version === 13 ? decode13(cursor, names) : decode11(cursor, version),
  };
}

/** What every version begins with. */
function begin({ maxWaitMs, minBytes, maxBytes, isolation }: FetchQuestion): ByteWriter {
  return new ByteWriter()
    .int32(-1) // no replica
    .int32(maxWaitMs)
    .int32(minBytes)
    .int32(maxBytes)
    .int8(isolation === 'committed' ? 1 : 0)
    .int32(0) // no session
    .int32(-1);
}

function encode11(question: FetchQuestion, version: number): Buffer {
  const writer = begin(question);
  writer
    .array(inRuns(question.positions), ({ topic, entries }) =>
      writer.string(topic).array(entries, ({ partition, leaderEpoch, offset }) =>
        writer
          .int32(partition)
          .int32(leaderEpoch)
          .int64(offset)
          .int64(-1n) // log start, of followers
          .int32(question.maxBytesPerPartition),
      ),
    )
    .int32(0); // nothing of a session is forgotten
  if (version >= 11) writer.string(''); // no rack
  return writer.written();
}

function encode13(question: FetchQuestion): Buffer {
  const writer = begin(question);
  return writer
    .compactArray(inRuns(question.positions), ({ entries }) =>
      writer
        .uuid(entries[0]?.topicId ?? noTopicId)
        .compactArray(entries, ({ partition, leaderEpoch, offset }) =>
          writer
            .int32(partition)
            .int32(leaderEpoch)
            .int64(offset)
            .int32(-1) // last epoch that was read: of followers, and of who asks where logs part
            .int64(-1n) // log start, of followers
            .int32(question.maxBytesPerPartition)
            .noTags(),
        )
        .noTags(),
    )
    .compactArray([], () => undefined) // nothing of a session is forgotten
    .compactString('') // no rack
    .noTags()
    .written();
}

function decode11(cursor: ByteCursor, version: number): FetchAnswer {
  const throttleMs = cursor.int32();
  const errorCode = cursor.int16();
  cursor.int32(); // session
  const partitions = cursor
    .array(() => {
      const topic = cursor.string();
      return cursor.array((): FetchedPartition => {
        const facts = partitionFacts(cursor, topic);
        const aborted = cursor.array(() => abortedOf(cursor));
        if (version >= 11) cursor.int32(); // preferred replica: we name no rack
        return { ...facts, aborted, recordSet: cursor.bytes() };
      });
    })
    .flat();
  return { throttleMs, errorCode, partitions };
}

function decode13(cursor: ByteCursor, names: ReadonlyMap<string | undefined, string>): FetchAnswer {
  const throttleMs = cursor.int32();
  const errorCode = cursor.int16();
  cursor.int32(); // session
  const partitions = cursor
    .compactArray(() => {
      const topic = names.get(cursor.slice(16).toString('hex')) ?? '';
      const ofTopic = cursor.compactArray((): FetchedPartition => {
        const facts = partitionFacts(cursor, topic);
        const aborted = cursor.compactArray(() => {
          const each = abortedOf(cursor);
          cursor.skipTags();
          return each;
        });
        cursor.int32(); // preferred replica: we name no rack
        const recordSet = cursor.compactBytes();
        cursor.skipTags();
        return { ...facts, aborted, recordSet };
      });
      cursor.skipTags();
      return ofTopic;
    })
    .flat();
  return { throttleMs, errorCode, partitions };
}

function partitionFacts(cursor: ByteCursor, topic: string) {
  return {
    topic,
    partition: cursor.int32(),
    errorCode: cursor.int16(),
    highWatermark: cursor.int64(),
    lastStableOffset: cursor.int64(),
    logStartOffset: cursor.int64(),
  };
}

function abortedOf(cursor: ByteCursor): AbortedTransaction {
  return { producerId: cursor.int64(), firstOffset: cursor.int64() };
}

/**
 * Neighbours of one topic together. The order stays: a broker fills its answer in the order of the request, so
 * whoever asks may take turns.
 */
function inRuns(positions: readonly FetchPosition[]) {
  const runs: FetchPosition[][] = [];
  for (const position of positions) {
    const last = runs.at(-1);
    const first = last?.[0];
    if (last && first?.topic === position.topic && first.topicId === position.topicId)
      last.push(position);
    else runs.push([position]);
  }
  return runs.flatMap(groupByTopic);
}
