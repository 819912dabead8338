import { crc32c } from '../wire/crc32c.ts';
import { decompress } from './codecs/decompress.ts';
import { FetchedRecord } from './fetched-record.ts';
import type { TransactionalBatch } from './open-aborts.ts';
import { areHeadersWhole } from './record-headers.ts';
import { damaged, Unreadable } from './unreadable.ts';
import { VarintCursor } from './varint-cursor.ts';

// Where things are in a batch of version 2, counted from its first byte (KIP-98).
const checksumAt = 17;
/** From here to the end of the batch the checksum covers everything; a broker sets what stands before it, anew at each append. */
const attributesAt = 21;
const lastOffsetDeltaAt = 23;
const firstTimestampAt = 27;
const maxTimestampAt = 35;
const producerIdAt = 43;
const recordCountAt = 57;
const recordsAt = 61;

const codecMask = 0x07;
const logAppendTimeFlag = 0x08;
const transactionalFlag = 0x10;
const controlFlag = 0x20;
/** Type of a control record, in its key behind two bytes of version. */
const abortType = 0;

/** A record batch of version 2 (Kafka 0.11 and later), read from `bytes`, which hold it from its first byte to its last. */
export class RecordBatch implements TransactionalBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly #bytes: Buffer;

  /** @throws Unreadable for bytes that are shorter than a batch's head, or are not those that its checksum was taken of */
  constructor(bytes: Buffer) {
    if (bytes.length < recordsAt)
      throw new Unreadable(`a batch of ${bytes.length} bytes is too short to be one`);
    if (bytes.readUInt32BE(checksumAt) !== crc32c(bytes, attributesAt, bytes.length))
      throw damaged('a batch');
    const attributes = bytes.readInt16BE(attributesAt);
    this.baseOffset = bytes.readBigInt64BE(0);
    this.lastOffset = this.baseOffset + BigInt(bytes.readInt32BE(lastOffsetDeltaAt));
    this.producerId = bytes.readBigInt64BE(producerIdAt);
    this.isTransactional = (attributes & transactionalFlag) !== 0;
    this.isControl = (attributes & controlFlag) !== 0;
    this.#bytes = bytes;
  }

  get isAbortMarker(): boolean {
    if (!this.isControl) return false;
    const markers: FetchedRecord[] = [];
    this.readInto(markers, { topic: '', partition: 0, from: this.baseOffset });
    const key = markers[0]?.key;
    return key?.length === 4 && key.readInt16BE(2) === abortType;
  }

  /**
   * Adds the batch's records from offset `from` on; compaction may have taken any of them, or all.
   * @returns the bytes of the batch, decompressed
   * @throws Unreadable, or the codec's error
   */
  readInto(
    records: FetchedRecord[],
    { topic, partition, from }: { topic: string; partition: number; from: bigint },
  ): number {
    const head = this.#bytes;
    const attributes = head.readInt16BE(attributesAt);
    const isLogAppendTime = (attributes & logAppendTimeFlag) !== 0;
    const count = head.readInt32BE(recordCountAt);
    if (count < 0) throw new Unreadable(`a batch says that it holds ${count} records`);
    if (count === 0) return 0;
    const timestampMs = Number(
      head.readBigInt64BE(isLogAppendTime ? maxTimestampAt : firstTimestampAt),
    );
    const { baseOffset } = this;
    const firstDelta = from > baseOffset ? Number(from - baseOffset) : 0;
    const bytes = decompress(attributes & codecMask, head.subarray(recordsAt));
    const cursor = new VarintCursor(bytes, 0);
    for (let left = count; left > 0; left -= 1) {
      const length = cursor.next();
      const end = cursor.at + length;
      // Attributes of a record: none are defined.
      cursor.at += 1;
      const timestampDelta = cursor.next();
      const offsetDelta = cursor.next();
      const keyLength = cursor.next();
      const keyAt = cursor.skip(keyLength);
      const valueLength = cursor.next();
      const valueAt = cursor.skip(valueLength);
      const headersAt = cursor.at;
      if (
        end > bytes.length ||
        headersAt >= end ||
        offsetDelta < 0 ||
        !areHeadersWhole(bytes, headersAt, end)
      )
        throw new Unreadable(
          `record ${count - left + 1} of ${count} in its batch does not fit its length`,
        );
      cursor.at = end;
      if (offsetDelta < firstDelta) continue;
      records.push(
        new FetchedRecord(
          topic,
          partition,
          baseOffset + BigInt(offsetDelta),
          isLogAppendTime ? timestampMs : timestampMs + timestampDelta,
          {
            bytes,
            keyAt,
            keyLength,
            valueAt,
            valueLength,
            headersAt: bytes[headersAt] === 0 ? end : headersAt,
            headersEnd: end,
          },
        ),
      );
    }
    if (cursor.at !== bytes.length)
      throw new Unreadable(`its batch has more bytes than its ${count} records`);
    return bytes.length;
  }
}
