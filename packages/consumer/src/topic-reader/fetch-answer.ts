import { ByteCursor } from './byte-cursor.ts';

/** A transaction of a producer that was aborted; its records begin at `firstOffset`. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What a broker answers for one partition. */
export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** 0 is fine; else a code of Kafka's protocol, and nothing else here is meant. */
  readonly errorCode: number;
  /** Readers of committed records get what is below it. */
  readonly lastStableOffset: bigint;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches one after the other; the last may be cut off. */
  readonly recordSet: Buffer;
}

export interface FetchAnswer {
  readonly throttleTimeMs: number;
  /** As `clientSideThrottleTime` kafkajs holds the connection back for the broker's quota. */
  readonly clientSideThrottleTime: number;
  readonly partitions: readonly FetchedPartition[];
}

/** Version of the Fetch request that is spoken; known to Kafka 2.3 to 4.x. */
export const fetchVersion = 11;

/** Decodes a Fetch answer, version 11. kafkajs' own reading throws at the first partition with an error, and drops the bounds of batches. */
export function decodeFetchAnswer(payload: Buffer): FetchAnswer {
  const cursor = new ByteCursor(payload);
  const throttleTimeMs = cursor.int32();
  // Error code and session id: we keep no fetch session.
  cursor.slice(6);
  const partitions: FetchedPartition[] = [];
  for (let topics = cursor.int32(); topics > 0; topics--) {
    const topic = cursor.string();
    for (let count = cursor.int32(); count > 0; count--) {
      const partition = cursor.int32();
      const errorCode = cursor.int16();
      // High watermark, counting what is not committed.
      cursor.slice(8);
      const lastStableOffset = cursor.int64();
      // Log start offset: −1 in the one answer where it would matter (OFFSET_OUT_OF_RANGE).
      cursor.slice(8);
      const aborted: AbortedTransaction[] = [];
      for (let each = cursor.int32(); each > 0; each--)
        aborted.push({ producerId: cursor.int64(), firstOffset: cursor.int64() });
      // Preferred read replica: we name no rack.
      cursor.slice(4);
      const recordSet = cursor.slice(Math.max(0, cursor.int32()));
      partitions.push({ topic, partition, errorCode, lastStableOffset, aborted, recordSet });
    }
  }
  return { throttleTimeMs, clientSideThrottleTime: throttleTimeMs, partitions };
}
