// Not by name: Node finds the names of a CommonJS module by reading its text, and does not find this one.
import kafkajs from 'kafkajs';
import { ByteCursor } from './byte-cursor.ts';
import type { AbortedTransaction, FetchedPartition } from './fetch-answer.ts';
import type { TopicRecord } from './topic-record.ts';

/** Kafka's record batch, version 2: 12 bytes that say where it begins and how long it is, 49 bytes of head, then the records. */
const lengthBytes = 12;
const headBytes = 49;
const magicOfVersion2 = 2;
const compressionMask = 0x07;
const logAppendTimeFlag = 0x08;
const transactionalFlag = 0x10;
const controlFlag = 0x20;

/** The records of a partition's answer, and where reading goes on. */
export interface RecordSet {
  readonly records: readonly TopicRecord[];
  /**
   * The offset behind the last complete batch, which may be far behind its last record: compaction takes records and leaves the
   * batch's bounds, or an empty batch. `from` if there was no complete batch.
   */
  readonly nextOffset: bigint;
}

/**
 * Decodes the batches of a partition's answer: records from offset `from` on, without transaction markers and without what was aborted.
 * @throws Error for a format before Kafka 0.11, or a compression that kafkajs has no codec for (gzip it has; see its docs for the others).
 */
export async function decodeRecordSet(
  fetched: Pick<FetchedPartition, 'topic' | 'partition' | 'recordSet' | 'aborted'>,
  from: bigint,
): Promise<RecordSet> {
  const { topic, partition, recordSet } = fetched;
  const aborts = new OpenAborts(fetched.aborted);
  const records: TopicRecord[] = [];
  let nextOffset = from;
  const cursor = new ByteCursor(recordSet);
  while (cursor.position + lengthBytes <= recordSet.length) {
    const baseOffset = cursor.int64();
    const byteCount = cursor.int32();
    // A broker cuts its answer off at the byte limit.
    if (byteCount < headBytes || cursor.position + byteCount > recordSet.length) break;
    const head = readHead(new ByteCursor(cursor.slice(byteCount)), `${topic}/${partition}`);
    const behind = baseOffset + BigInt(head.lastOffsetDelta) + 1n;
    if (behind > nextOffset) {
      if (head.isControl) aborts.end(head);
      else if (!aborts.covers(head, baseOffset))
        for (const record of await readRecords(head, { topic, partition, baseOffset }))
          if (record.offset >= from) records.push(record);
      nextOffset = behind;
    }
  }
  return { records, nextOffset };
}

interface BatchHead {
  readonly codec: number;
  readonly isLogAppendTime: boolean;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly lastOffsetDelta: number;
  readonly firstTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: bigint;
  readonly recordCount: number;
  readonly body: Buffer;
}

function readHead(cursor: ByteCursor, where: string): BatchHead {
  cursor.slice(4);
  const magic = cursor.int8();
  if (magic !== magicOfVersion2)
    throw new Error(
      `${where} holds records of format ${magic}, and ${magicOfVersion2} (Kafka 0.11 and later) is what can be read`,
    );
  // The checksum: TCP's own has been verified, and the broker's was when it appended.
  cursor.slice(4);
  const attributes = cursor.int16();
  const lastOffsetDelta = cursor.int32();
  const firstTimestampMs = Number(cursor.int64());
  const maxTimestampMs = Number(cursor.int64());
  const producerId = cursor.int64();
  cursor.slice(6);
  return {
    codec: attributes & compressionMask,
    isLogAppendTime: (attributes & logAppendTimeFlag) !== 0,
    isTransactional: (attributes & transactionalFlag) !== 0,
    isControl: (attributes & controlFlag) !== 0,
    lastOffsetDelta,
    firstTimestampMs,
    maxTimestampMs,
    producerId,
    recordCount: cursor.int32(),
    body: cursor.rest(),
  };
}

async function readRecords(
  head: BatchHead,
  { topic, partition, baseOffset }: { topic: string; partition: number; baseOffset: bigint },
): Promise<TopicRecord[]> {
  if (head.recordCount <= 0) return [];
  const cursor = new ByteCursor(await decompressed(head));
  const records: TopicRecord[] = [];
  for (let count = head.recordCount; count > 0; count--) {
    const end = cursor.varint() + cursor.position;
    cursor.slice(1);
    const timestampDelta = cursor.varint();
    const offset = baseOffset + BigInt(cursor.varint());
    const key = cursor.varBytes();
    const value = cursor.varBytes();
    const headers: Record<string, string> = {};
    for (let each = cursor.varint(); each > 0; each--) {
      const name = cursor.varBytes()?.toString() ?? '';
      headers[name] = cursor.varBytes()?.toString() ?? '';
    }
    cursor.position = end;
    records.push({
      topic,
      partition,
      offset,
      timestampMs: head.isLogAppendTime
        ? head.maxTimestampMs
        : head.firstTimestampMs + timestampDelta,
      key,
      value,
      headers,
    });
  }
  return records;
}

async function decompressed({ codec, body }: BatchHead): Promise<Buffer> {
  if (codec === 0) return body;
  const makeCodec: unknown = (kafkajs.CompressionCodecs as Readonly<Record<number, unknown>>)[
    codec
  ];
  if (typeof makeCodec !== 'function')
    throw new Error(
      `a record batch is compressed with codec ${codec}, which kafkajs does not know`,
    );
  return (makeCodec as () => { decompress(bytes: Buffer): Promise<Buffer> })().decompress(body);
}

/** Which producers are within a transaction that was aborted, as batches go by in offset order. Source: Kafka's own consumer does the same. */
class OpenAborts {
  readonly #ahead: AbortedTransaction[];
  readonly #open = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#ahead = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  covers(head: BatchHead, baseOffset: bigint): boolean {
    const behind = baseOffset + BigInt(head.lastOffsetDelta) + 1n;
    while (this.#ahead[0] && this.#ahead[0].firstOffset < behind) {
      this.#open.add(this.#ahead[0].producerId);
      this.#ahead.shift();
    }
    return head.isTransactional && this.#open.has(head.producerId);
  }

  /** A marker ends its producer's transaction, whichever way it ended. */
  end({ producerId }: BatchHead): void {
    this.#open.delete(producerId);
  }
}
