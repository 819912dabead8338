import type { OutboundRecord } from './outbound-record.ts';
import type { ByteSink } from './byte-sink.ts';
import { writeRecordBatch, type BatchCompression, type BatchIdentity } from './record-batch.ts';

/** What the broker says of one partition. */
export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's error code; 0 is stored. */
  readonly code: number;
  /** Offset of the first record; −1 where the broker does not say. */
  readonly baseOffset: bigint;
  readonly detail: string | null;
}

/** The version of Produce that is spoken: the last without flexible fields; brokers from 2.4 to 4.x take it. */
export const produceVersion = 8;

/** What one partition is sent: its records, and the numbers that their batch gets. */
export interface PartitionRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutboundRecord[];
  readonly identity: BatchIdentity;
}

/**
 * Writes the body of a Produce request (version 8), acks = all, behind what the sink holds: each batch straight into the request, without a copy.
 * `timeoutMs`: how long the broker itself waits for the replicas before it answers REQUEST_TIMED_OUT.
 * Order: each topic once, its partitions as given.
 */
export async function writeProduceRequest(
  sink: ByteSink,
  batches: readonly PartitionRecords[],
  timeoutMs: number,
  compression?: BatchCompression,
): Promise<void> {
  const byTopic = new Map<string, PartitionRecords[]>();
  for (const batch of batches) {
    const group = byTopic.get(batch.topic);
    if (group) group.push(batch);
    else byTopic.set(batch.topic, [batch]);
  }
  sink.ensureRoom(12);
  sink.end = sink.bytes.writeInt16BE(-1, sink.end); // no transactional id: these are plain idempotent batches
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
      await writeRecordBatch(sink, records, identity, compression);
      sink.bytes.writeInt32BE(sink.end - lengthAt - 4, lengthAt);
    }
  }
}

/**
 * Every partition's row of a Produce answer (version 8), and for how long the broker wants us to hold back, in milliseconds.
 * kafkajs throws the first error of an answer away with all the rest of it (trap 3.1-7); here each partition keeps its own.
 * @throws RangeError if the answer is cut short.
 */
export function decodeProduceAnswer(payload: Buffer): {
  readonly answers: readonly PartitionAnswer[];
  readonly throttleMs: number;
} {
  const answers: PartitionAnswer[] = [];
  let at = 0;
  const int16 = () => {
    at += 2;
    return payload.readInt16BE(at - 2);
  };
  const int32 = () => {
    at += 4;
    return payload.readInt32BE(at - 4);
  };
  const text = () => {
    const length = int16();
    if (length < 0) return null;
    at += length;
    return payload.toString('utf8', at - length, at);
  };
  for (let topics = int32(); topics > 0; topics -= 1) {
    const topic = text() ?? '';
    for (let partitions = int32(); partitions > 0; partitions -= 1) {
      const partition = int32();
      const code = int16();
      const baseOffset = payload.readBigInt64BE(at);
      at += 24; // base offset, append time, log start offset
      let detail: string | null = null;
      for (let errors = int32(); errors > 0; errors -= 1) {
        int32();
        detail ??= text();
      }
      detail = text() ?? detail;
      answers.push({ topic, partition, code, baseOffset, detail });
    }
  }
  return { answers, throttleMs: int32() };
}
