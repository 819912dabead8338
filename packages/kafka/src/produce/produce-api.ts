import type { OwnApi } from '../connection/own-api.ts';
import type { ByteCursor } from '../wire/byte-cursor.ts';
import type { ByteSink } from '../wire/byte-sink.ts';
import { writeRecordBatch, type BatchCompression, type BatchIdentity } from './record-batch.ts';
import type { RecordToWrite } from './record-to-write.ts';

/** What the broker says of one partition. */
export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's error code; 0 is stored. */
  readonly code: number;
  /** Offset of the first record; −1 where the broker does not say. */
  readonly baseOffset: bigint;
  readonly detail: string | null;
  /** Records that the broker refuses each by itself, counted from 0 in the batch; empty where it names none. */
  readonly named: readonly number[];
}

interface ProduceAnswer {
  readonly answers: readonly PartitionAnswer[];
  /** For how long the broker wants us to hold back. */
  readonly throttleMs: number;
}

/** What one partition is sent: its records, and the numbers that their batch gets. */
export interface PartitionRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly RecordToWrite[];
  readonly identity: BatchIdentity;
}

/**
 * Writes the body of a Produce request (version 7 or 8, which are alike), acks = all, behind what the sink holds:
 * each batch straight into the request, without a copy. `timeoutMs`: how long the broker itself waits for the
 * replicas before it answers REQUEST_TIMED_OUT. `transactionalId`: the batches are of its transaction, or plain ones
 * where it is null. Order: each topic once, its partitions as given.
 */
export async function writeProduceRequest(
  sink: ByteSink,
  batches: readonly PartitionRecords[],
  timeoutMs: number,
  compression?: BatchCompression,
  transactionalId: string | null = null,
): Promise<void> {
  const byTopic = new Map<string, PartitionRecords[]>();
  for (const batch of batches) {
    const group = byTopic.get(batch.topic);
    if (group) group.push(batch);
    else byTopic.set(batch.topic, [batch]);
  }
  const form = { compression, isTransactional: transactionalId !== null };
  sink.ensureRoom(12 + (transactionalId?.length ?? 0) * 3);
  if (transactionalId !== null) {
    const length = sink.bytes.write(transactionalId, sink.end + 2);
    sink.end = sink.bytes.writeInt16BE(length, sink.end) + length;
  } else sink.end = sink.bytes.writeInt16BE(-1, sink.end);
  sink.end = sink.bytes.writeInt16BE(-1, sink.end);
  sink.end = sink.bytes.writeInt32BE(timeoutMs, sink.end);
  sink.end = sink.bytes.writeInt32BE(byTopic.size, sink.end);
  for (const [topic, group] of byTopic) {
    sink.ensureRoom(6 + topic.length * 3);
    const length = sink.bytes.write(topic, sink.end + 2);
    sink.bytes.writeInt16BE(length, sink.end);
    sink.end = sink.bytes.writeInt32BE(group.length, sink.end + 2 + length);
    for (const { partition, records, identity } of group) {
      sink.ensureRoom(8);
      sink.end = sink.bytes.writeInt32BE(partition, sink.end);
      const lengthAt = sink.end;
      sink.end += 4;
      await writeRecordBatch(sink, records, identity, form);
      sink.bytes.writeInt32BE(sink.end - lengthAt - 4, lengthAt);
    }
  }
}

/**
 * Produce, with a body that `writeProduceRequest` wrote. Version 8 is the last without flexible fields, taken by
 * brokers from 2.4 to 4.x; version 7 gives no text with an error. Its answer has every partition's row: kafkajs
 * throws the first error of an answer away with all the rest of it (trap 3.1-7); here each partition keeps its own.
 */
export const produceApi: OwnApi<Buffer, ProduceAnswer> = {
  name: 'Produce',
  key: 0,
  versions: [8, 7],
  flexibleFrom: 9,
  encode: (body) => body,
  decode(cursor: ByteCursor, version: number): ProduceAnswer {
    const answers = cursor
      .array(() => {
        const topic = cursor.string();
        return cursor.array(() => {
          const partition = cursor.int32();
          const code = cursor.int16();
          const baseOffset = cursor.int64();
          cursor.slice(16); // append time, log start offset
          return {
            topic,
            partition,
            code,
            baseOffset,
            ...(version >= 8 ? reason(cursor) : { detail: null, named: [] }),
          };
        });
      })
      .flat();
    return { answers, throttleMs: cursor.int32() };
  },
};

/** The records that it names, and the broker's own text: of the batch, else of the first of them. */
function reason(cursor: ByteCursor): Pick<PartitionAnswer, 'detail' | 'named'> {
  const records = cursor.array(() => ({ index: cursor.int32(), text: cursor.nullableString() }));
  const first = records.find(({ text }) => text !== null);
  return {
    detail: cursor.nullableString() ?? first?.text ?? null,
    named: records.map(({ index }) => index),
  };
}
