import { createRequire } from 'node:module';
import { sealed } from './sealed.ts';

/** kafkajs' own encoder: an oracle that knows nothing of our decoder. */
const load: (path: string) => unknown = createRequire(import.meta.url);
const recordOf = load('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => object;
const { RecordBatch } = load('kafkajs/src/protocol/recordBatch/v0') as {
  readonly RecordBatch: (batch: object) => Promise<{ readonly buffer: Buffer }>;
};
const Long = load('kafkajs/src/utils/long') as { readonly fromValue: (value: number) => object };

export interface TestRecord {
  readonly key?: string | Buffer | null;
  readonly value?: string | null;
  readonly headers?: Record<string, string | Buffer | (string | Buffer)[]>;
  readonly offsetDelta: number;
  readonly timestampDelta?: number;
}

export interface TestBatch {
  readonly baseOffset: number;
  readonly records: readonly TestRecord[];
  readonly lastOffsetDelta?: number;
  /** kafkajs compresses with gzip only. */
  readonly compression?: 0 | 1;
  readonly transactional?: boolean;
  readonly isControl?: boolean;
  readonly producerId?: number;
}

/** A record batch of version 2; its first timestamp is 1000, its last 9000. */
export async function encodedBatch({
  baseOffset,
  records,
  lastOffsetDelta = records.at(-1)?.offsetDelta ?? 0,
  compression = 0,
  transactional = false,
  isControl = false,
  producerId = -1,
}: TestBatch): Promise<Buffer> {
  const { buffer } = await RecordBatch({
    compression,
    transactional,
    firstOffset: Long.fromValue(baseOffset),
    firstTimestamp: 1000,
    maxTimestamp: 9000,
    lastOffsetDelta,
    producerId: Long.fromValue(producerId),
    records: records.map(({ offsetDelta, timestampDelta = 0, key, value, headers = {} }) =>
      recordOf({ offsetDelta, timestampDelta, key: key ?? null, value: value ?? null, headers }),
    ),
  });
  const bytes = Buffer.from(buffer);
  // kafkajs writes no control batches.
  if (isControl) bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21);
  return isControl ? sealed(bytes) : bytes;
}

/** The batch that ends a producer's transaction. */
export function endOfTransaction(
  baseOffset: number,
  producerId: number,
  ending: 'abort' | 'commit',
): Promise<Buffer> {
  const key = Buffer.from([0, 0, 0, ending === 'commit' ? 1 : 0]);
  return encodedBatch({
    baseOffset,
    producerId,
    transactional: true,
    isControl: true,
    records: [{ offsetDelta: 0, key }],
  });
}
