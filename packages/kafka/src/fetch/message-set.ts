import { crc32 } from 'node:zlib';
import { decompress } from './codecs/decompress.ts';
import { FetchedRecord } from './fetched-record.ts';
import type { TransactionalBatch } from './open-aborts.ts';
import { damaged, Unreadable } from './unreadable.ts';

// Where things are in a message, counted from its first byte.
const sizeAt = 8;
const prefixBytes = 12;
const checksumAt = 12;
/** From here to the end of the message the checksum covers everything. */
const magicAt = 16;
const attributesAt = 17;
const timestampAt = 18;
/** Behind the head comes the key; version 1 has a timestamp before it. */
const keyAtOf = (magic: number) => (magic === 0 ? 18 : 26);

const codecMask = 0x07;
const logAppendTimeFlag = 0x08;
/** What version 0 has for a time, as Java's consumer gives it. */
const noTimestamp = -1;

interface Message {
  readonly offset: bigint;
  readonly magic: number;
  readonly codec: number;
  readonly isLogAppendTime: boolean;
  readonly timestampMs: number;
  readonly keyAt: number;
  readonly keyLength: number;
  readonly valueAt: number;
  readonly valueLength: number;
  /** Behind its last byte. */
  readonly end: number;
}

/**
 * A message of version 0 or 1 (before Kafka 0.11), or one that wraps a compressed set of them. Brokers keep them as long as the topic keeps its records.
 * Offsets and times of what is wrapped are those that Java's consumer gives (AbstractLegacyRecordBatch).
 */
export class MessageSet implements TransactionalBatch {
  readonly producerId = -1n;
  readonly isTransactional = false;
  readonly isControl = false;
  readonly isAbortMarker = false;
  readonly #bytes: Buffer;
  readonly #message: Message;

  /** @throws Unreadable for bytes that are shorter than a message, or are not those that its checksum was taken of */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#message = messageAt(bytes, 0);
  }

  /** Of what is wrapped, the last one's. */
  get lastOffset(): bigint {
    return this.#message.offset;
  }

  /**
   * Adds the records from offset `from` on.
   * @returns the bytes of the set, decompressed
   * @throws Unreadable, or the codec's error
   */
  readInto(
    records: FetchedRecord[],
    { topic, partition, from }: { topic: string; partition: number; from: bigint },
  ): number {
    const add = (bytes: Buffer, message: Message, offset: bigint, timestampMs: number) => {
      if (offset < from) return;
      const { keyAt, keyLength, valueAt, valueLength, end } = message;
      records.push(
        new FetchedRecord(topic, partition, offset, timestampMs, {
          bytes,
          keyAt,
          keyLength,
          valueAt,
          valueLength,
          headersAt: end,
          headersEnd: end,
        }),
      );
    };
    const outer = this.#message;
    if (outer.codec === 0) {
      add(this.#bytes, outer, outer.offset, outer.timestampMs);
      return this.#bytes.length;
    }
    if (outer.valueLength < 0) throw new Unreadable('its message is compressed, and has no value');
    const bytes = decompress(
      outer.codec,
      this.#bytes.subarray(outer.valueAt, outer.valueAt + outer.valueLength),
    );
    const inner = messagesOf(bytes, outer.magic);
    const base = baseOffsetOf(outer, inner);
    for (const message of inner)
      add(
        bytes,
        message,
        base + message.offset,
        outer.isLogAppendTime ? outer.timestampMs : message.timestampMs,
      );
    return bytes.length;
  }
}

/** What is to be added to the offsets of what is wrapped: from version 1 on they count from the first that was produced together. */
function baseOffsetOf(outer: Message, inner: readonly Message[]): bigint {
  const last = inner.at(-1);
  if (!last) throw new Unreadable('its compressed message holds nothing');
  // Some versions of librdkafka left the outer offset at 0; Java reads the inner ones as they are.
  if (outer.magic === 0 || outer.offset === 0n) return 0n;
  if (outer.offset < last.offset)
    throw new Unreadable(`its compressed message ends before what it holds (${last.offset})`);
  return outer.offset - last.offset;
}

function messagesOf(bytes: Buffer, magic: number): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length;) {
    const message = messageAt(bytes, at);
    if (message.magic !== magic)
      throw new Unreadable(`a message of version ${message.magic} is wrapped in one of ${magic}`);
    if (message.codec !== 0) throw new Unreadable('a compressed message wraps a compressed one');
    messages.push(message);
    at = message.end;
  }
  return messages;
}

function messageAt(bytes: Buffer, at: number): Message {
  if (at + keyAtOf(0) > bytes.length) throw tooShort();
  const end = at + prefixBytes + bytes.readInt32BE(at + sizeAt);
  if (end > bytes.length || at + keyAtOf(0) + 8 > end) throw tooShort();
  if (bytes.readUInt32BE(at + checksumAt) !== crc32(bytes.subarray(at + magicAt, end)))
    throw damaged('a message');
  const magic = bytes.readInt8(at + magicAt);
  const keyField = at + keyAtOf(magic);
  if (keyField + 8 > end) throw tooShort();
  const attributes = bytes.readInt8(at + attributesAt);
  const keyLength = bytes.readInt32BE(keyField);
  const keyAt = keyField + 4;
  const valueField = keyAt + Math.max(0, keyLength);
  if (valueField + 4 > end) throw tooShort();
  const valueLength = bytes.readInt32BE(valueField);
  const valueAt = valueField + 4;
  if (valueAt + Math.max(0, valueLength) !== end) throw tooShort();
  return {
    offset: bytes.readBigInt64BE(at),
    magic,
    codec: attributes & codecMask,
    isLogAppendTime: magic > 0 && (attributes & logAppendTimeFlag) !== 0,
    timestampMs: magic === 0 ? noTimestamp : Number(bytes.readBigInt64BE(at + timestampAt)),
    keyAt,
    keyLength,
    valueAt,
    valueLength,
    end,
  };
}

function tooShort(): Unreadable {
  return new Unreadable('a message of it does not fit its length');
}
