/** An encoded record batch on its way to one partition. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

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

/**
 * Body of a Produce request (version 8), acks = all.
 * `timeoutMs`: how long the broker itself waits for the replicas before it answers REQUEST_TIMED_OUT.
 * Order: each topic once, its partitions as given.
 */
export function encodeProduceRequest(
  batches: readonly PartitionBatch[],
  timeoutMs: number,
): Buffer {
  const byTopic = new Map<string, PartitionBatch[]>();
  let size = 2 + 2 + 4 + 4;
  for (const batch of batches) {
    let group = byTopic.get(batch.topic);
    if (!group) {
      group = [];
      byTopic.set(batch.topic, group);
      size += 2 + Buffer.byteLength(batch.topic) + 4;
    }
    group.push(batch);
    size += 8 + batch.batch.length;
  }
  const body = Buffer.allocUnsafe(size);
  let at = body.writeInt16BE(-1, 0); // no transactional id: these are plain idempotent batches
  at = body.writeInt16BE(-1, at);
  at = body.writeInt32BE(timeoutMs, at);
  at = body.writeInt32BE(byTopic.size, at);
  for (const [topic, group] of byTopic) {
    const length = body.write(topic, at + 2);
    body.writeInt16BE(length, at);
    at = body.writeInt32BE(group.length, at + 2 + length);
    for (const { partition, batch } of group) {
      at = body.writeInt32BE(partition, at);
      at = body.writeInt32BE(batch.length, at);
      at += batch.copy(body, at);
    }
  }
  return body;
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
