import type { RecordHeader } from '../records/kafka-record.ts';
import type { ByteSink } from '../wire/byte-sink.ts';
import { crc32c } from '../wire/crc32c.ts';
import type { ProducerIdentity } from './producer-identity.ts';
import type { RecordToWrite } from './record-to-write.ts';

/**
 * Who writes a batch, and where it stands in that producer's numbering of the partition: what Kafka deduplicates and
 * fences by.
 */
export interface BatchIdentity extends ProducerIdentity {
  /** Sequence of the first record, 0 ≤ n < 2^31; each record takes the next one, and 0 follows 2^31 − 1. */
  readonly firstSequence: number;
}

/** How the records of a batch are squeezed; gives the codec's number in the batch's attributes. */
export interface BatchCompression {
  readonly codec: number;
  readonly compress: (records: Buffer) => Promise<Buffer>;
}

/** What a batch is beside its records. */
export interface BatchForm {
  readonly compression?: BatchCompression | undefined;
  /** It is part of its producer's open transaction. */
  readonly isTransactional?: boolean;
}

const transactionalFlag = 0x10;

/** Bytes of a batch before its first record. */
export const batchOverhead = 61;

const sequenceSpace = 2 ** 31;

/**
 * The sequence `count` records after `sequence`. Kafka continues at 0 after 2^31 − 1
 * (DefaultRecordBatch.incrementSequence).
 */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % sequenceSpace;
}

/**
 * Writes a record batch (format 2) behind what the sink holds. The same records and identity give
 * the same bytes, so a repeated send is recognised as such. Own code because the encoder of kafkajs allocates a
 * buffer for every header of every record: it costs ten times as much processor time, and it was the limit of the
 * whole relay. Source: https://kafka.apache.org/documentation/#recordbatch
 */
export async function writeRecordBatch(
  sink: ByteSink,
  records: readonly RecordToWrite[],
  identity: BatchIdentity,
  { compression, isTransactional = false }: BatchForm = {},
): Promise<void> {
  const baseTimestamp = records[0]?.timestampMs ?? 0;
  let maxTimestamp = baseTimestamp;
  const start = sink.end;
  sink.ensureRoom(batchOverhead);
  sink.end += batchOverhead;
  let index = 0;
  for (const record of records) {
    if (record.timestampMs > maxTimestamp) maxTimestamp = record.timestampMs;
    sink.ensureRoom(recordBound(record));
    sink.end = writeRecord(sink.bytes, sink.end, record, index, record.timestampMs - baseTimestamp);
    index += 1;
  }
  let attributes = isTransactional ? transactionalFlag : 0;
  if (compression) {
    const squeezed = await compression.compress(
      sink.bytes.subarray(start + batchOverhead, sink.end),
    );
    attributes |= compression.codec;
    sink.end = start + batchOverhead;
    sink.ensureRoom(squeezed.length);
    sink.end += squeezed.copy(sink.bytes, sink.end);
  }
  const batch = sink.bytes.subarray(start, sink.end);
  const end = batch.length;
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(end - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(attributes, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestamp), 27);
  batch.writeBigInt64BE(BigInt(maxTimestamp), 35);
  batch.writeBigInt64BE(identity.producerId, 43);
  batch.writeInt16BE(identity.producerEpoch, 51);
  batch.writeInt32BE(identity.firstSequence, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch, 21, end), 17);
}

/**
 * Bytes that a record takes in a batch of its own, uncompressed: what must stay within the topic's
 * `max.message.bytes`.
 */
export function aloneInBatchBytes(record: RecordToWrite): number {
  const { key, value, headers } = record;
  // Attributes and the two deltas, which are 0.
  let bytes = 3 + lengthAndBytes(key) + lengthAndBytes(value);
  let count = 0;
  if (isList(headers))
    for (const { name, value: content } of headers) {
      count += 1;
      bytes += lengthAndBytes(name) + lengthAndBytes(content);
    }
  else
    for (const name in headers) {
      count += 1;
      bytes += lengthAndBytes(name) + lengthAndBytes(headers[name] ?? '');
    }
  bytes += varIntBytes(count);
  return batchOverhead + varIntBytes(bytes) + bytes;
}

function lengthAndBytes(content: Buffer | string | null): number {
  if (content === null) return varIntBytes(-1);
  const bytes = Buffer.byteLength(content);
  return varIntBytes(bytes) + bytes;
}

/**
 * Bytes that a record never exceeds on the wire, without looking at its text; UTF-8 takes three bytes per UTF-16 unit
 * at the most.
 */
export function recordBound({ key, value, headers }: RecordToWrite): number {
  let bound = 40 + (key?.length ?? 0) * 3 + (value?.length ?? 0);
  if (isList(headers))
    for (const { name, value: content } of headers)
      bound += 10 + name.length * 3 + (content?.length ?? 0);
  else for (const name in headers) bound += 10 + (name.length + (headers[name] ?? '').length) * 3;
  return bound;
}

/** Writes one record at `at` and gives the offset behind it. */
function writeRecord(
  to: Buffer,
  at: number,
  record: RecordToWrite,
  offsetDelta: number,
  timestampDelta: number,
): number {
  // The length comes first and is known last. Nearly every record is 64 to 8,191 bytes long, whose length takes two
  // bytes; only another one has its body moved.
  const body = at + 2;
  let end = body;
  to[end] = 0;
  end = writeVarInt(to, end + 1, timestampDelta);
  end = writeVarInt(to, end, offsetDelta);
  const { key, value, headers } = record;
  end = typeof key === 'string' ? writeText(to, end, key) : writeBytes(to, end, key);
  end = writeBytes(to, end, value);
  if (isList(headers)) {
    end = writeVarInt(to, end, headers.length);
    for (const { name, value: content } of headers) {
      end = writeText(to, end, name);
      end = writeBytes(to, end, content);
    }
  } else {
    let count = 0;
    for (const _ in headers) count += 1;
    end = writeVarInt(to, end, count);
    for (const name in headers) {
      end = writeText(to, end, name);
      end = writeText(to, end, headers[name] ?? '');
    }
  }
  const length = end - body;
  if (length >= 64 && length < 8192) {
    writeVarInt(to, at, length);
    return end;
  }
  const start = at + (length < 64 ? 1 : length < 1_048_576 ? 3 : 4);
  to.copyWithin(start, body, end);
  writeVarInt(to, at, length);
  return start + length;
}

/**
 * Zigzag base 128, the same for int32 and int64; safe for every integer below 2^52, so for any span of milliseconds.
 */
function writeVarInt(to: Buffer, at: number, value: number): number {
  let zigzag = value >= 0 ? value * 2 : -value * 2 - 1;
  while (zigzag > 0x7f) {
    to[at] = (zigzag & 0x7f) | 0x80;
    at += 1;
    zigzag = Math.floor(zigzag / 128);
  }
  to[at] = zigzag;
  return at + 1;
}

/** How many bytes `writeVarInt` takes. */
function varIntBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >= 0 ? value * 2 : -value * 2 - 1; rest > 0x7f; bytes += 1)
    rest = Math.floor(rest / 128);
  return bytes;
}

/** A length, −1 for null, and the bytes. */
function writeBytes(to: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarInt(to, at, -1);
  const start = writeVarInt(to, at, bytes.length);
  return start + bytes.copy(to, start);
}

function isList(headers: RecordToWrite['headers']): headers is readonly RecordHeader[] {
  return Array.isArray(headers);
}

/**
 * A length and the UTF-8 of a text. Short ASCII, nearly all there is, is copied here: a call into native code costs
 * more.
 */
function writeText(to: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length < 64) {
    let i = 0;
    for (; i < length; i += 1) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      to[at + 1 + i] = unit;
    }
    if (i === length) {
      to[at] = length * 2;
      return at + 1 + length;
    }
  }
  const start = writeVarInt(to, at, Buffer.byteLength(text));
  return start + to.write(text, start);
}
