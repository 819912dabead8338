import { crc32c } from '../../../packages/kafka/src/wire/crc32c.ts';

/** A record as a batch holds it. */
export interface BatchRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, string])[];
}

/** What stands before the records of a batch. */
export interface BatchHead {
  /** Compaction takes records and leaves these bounds. */
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  /** −1 without idempotence. */
  readonly producerId: number;
  readonly isTransactional: boolean;
  readonly timestampMs: number;
}

const headBytes = 61;
const transactionalFlag = 0x10;
const controlFlag = 0x20;

/**
 * A record batch (format 2, without compression) as a broker hands it out; it may hold no record. Apart from the relay's encoder, which writes neither
 * offsets nor transactions, so that reader and writer do not share a mistake. Source: https://kafka.apache.org/documentation/#recordbatch
 */
export function encodeBatch(head: BatchHead, records: readonly BatchRecord[]): Buffer {
  return encode(head, records, head.isTransactional ? transactionalFlag : 0);
}

/** The control batch that ends a transaction: key (version, type), value (version, coordinator epoch). */
export function encodeMarker(
  head: Omit<BatchHead, 'isTransactional' | 'lastOffset'>,
  type: 'abort' | 'commit',
): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0]);
  const record = { offset: head.baseOffset, key, value: Buffer.alloc(6), headers: [] };
  return encode(
    { ...head, lastOffset: head.baseOffset, isTransactional: true },
    [record],
    transactionalFlag | controlFlag,
  );
}

function encode(head: BatchHead, records: readonly BatchRecord[], attributes: number): Buffer {
  const body = records.map((record) => encodeRecord(record, head.baseOffset));
  const bytes = Buffer.concat([Buffer.alloc(headBytes), ...body]);
  bytes.writeBigInt64BE(BigInt(head.baseOffset), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt32BE(head.leaderEpoch, 12);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE(head.lastOffset - head.baseOffset, 23);
  bytes.writeBigInt64BE(BigInt(head.timestampMs), 27);
  bytes.writeBigInt64BE(BigInt(head.timestampMs), 35);
  bytes.writeBigInt64BE(BigInt(head.producerId), 43);
  bytes.writeInt16BE(head.producerId < 0 ? -1 : 0, 51);
  bytes.writeInt32BE(-1, 53);
  bytes.writeInt32BE(records.length, 57);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  return bytes;
}

function encodeRecord({ offset, key, value, headers }: BatchRecord, baseOffset: number): Buffer {
  const parts: Buffer[] = [Buffer.from([0]), varint(0), varint(offset - baseOffset)];
  const sized = (bytes: Buffer | null): void => {
    parts.push(varint(bytes === null ? -1 : bytes.length));
    if (bytes) parts.push(bytes);
  };
  sized(key);
  sized(value);
  parts.push(varint(headers.length));
  for (const [name, text] of headers) {
    sized(Buffer.from(name));
    sized(Buffer.from(text));
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(body.length), body]);
}

/** Zigzag, base 128, for numbers of at most 30 bits. */
function varint(value: number): Buffer {
  let zigzag = value >= 0 ? value * 2 : -value * 2 - 1;
  const bytes: number[] = [];
  while (zigzag > 0x7f) {
    bytes.push((zigzag & 0x7f) | 0x80);
    zigzag >>>= 7;
  }
  bytes.push(zigzag);
  return Buffer.from(bytes);
}
