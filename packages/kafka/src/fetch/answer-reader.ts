import { KafkaError } from '../kafka-error.ts';
import type { FetchedPartition } from '../ports/topic-log.ts';
import type { FetchedRecord } from './fetched-record.ts';
import { MessageSet } from './message-set.ts';
import { OpenAborts } from './open-aborts.ts';
import { RecordBatch } from './record-batch.ts';
import { Unreadable, unreadableAt } from './unreadable.ts';

/** Offset and length, before every batch or message. */
const prefixBytes = 12;
const offsetBytes = 8;
/** Behind the prefix: whatever the version, four bytes and then its number. */
const magicAt = 16;

/** Records of a partition's answer, and where reading goes on. */
export interface DecodedRecords {
  readonly records: readonly FetchedRecord[];
  /**
   * The offset behind the last complete batch, which may be far behind its last record: compaction takes records and leaves the
   * batch's bounds, or an empty batch. Where reading began if there was no complete batch.
   */
  readonly next: bigint;
  /** Of the batches that the records are views of, decompressed. */
  readonly byteCount: number;
}

/**
 * Reads a partition's answer from its front to its end, batch by batch: the committed records from offset `from` on, without transaction markers and without what
 * was aborted. Nothing is decompressed before it is asked for: a mebibyte may become a gibibyte. Records are views of the answer, or of what was decompressed.
 */
export class AnswerReader {
  readonly #fetched: Pick<FetchedPartition, 'topic' | 'partition' | 'recordSet'>;
  readonly #aborts: OpenAborts;
  #next: bigint;
  /** Where the next batch begins, in the answer's bytes. */
  #at = 0;

  constructor(
    fetched: Pick<FetchedPartition, 'topic' | 'partition' | 'recordSet' | 'aborted'>,
    from: bigint,
  ) {
    this.#fetched = fetched;
    this.#aborts = new OpenAborts(fetched.aborted);
    this.#next = from;
  }

  /** No whole batch is left: a broker cuts its answer off at the byte limit. */
  get isDone(): boolean {
    return this.#endOfBatch() === undefined;
  }

  /**
   * Reads until the decompressed batches make up `maxBytes`, at least one; no more than one batch beyond it. What is broken, or does not match its checksum, ends the answer
   * there: what comes before it is given, and the call that begins at it throws.
   * @throws KafkaError KAFKA_RECORDS_UNREADABLE, naming partition, offset and what is in the way
   */
  read(maxBytes: number): DecodedRecords {
    const { topic, partition, recordSet } = this.#fetched;
    const from = this.#next;
    const records: FetchedRecord[] = [];
    let byteCount = 0;
    let end: number | undefined;
    while (byteCount < maxBytes && (end = this.#endOfBatch()) !== undefined) {
      const whole = records.length;
      try {
        const batch = readBatch(recordSet, this.#at, end);
        requireInOrder(this.#next, batch, recordSet, end);
        if (!this.#aborts.covers(batch) && !batch.isControl)
          byteCount += batch.readInto(records, { topic, partition, from });
        this.#next = batch.lastOffset + 1n;
        this.#at = end;
      } catch (cause) {
        if (cause instanceof KafkaError) throw cause;
        // What of the batch had been read comes again with it.
        records.length = whole;
        if (this.#next === from)
          throw unreadableAt(this.#fetched, from, (cause as Error).message, { cause });
        this.#at = recordSet.length;
      }
    }
    return { records, next: this.#next, byteCount };
  }

  #endOfBatch(): number | undefined {
    const { recordSet } = this.#fetched;
    if (this.#at + magicAt >= recordSet.length) return undefined;
    const end = this.#at + prefixBytes + recordSet.readInt32BE(this.#at + offsetBytes);
    return end > recordSet.length ? undefined : end;
  }
}

/**
 * No checksum covers the offset of a batch. A batch that ends before what was asked for would be passed over, and what it holds with it; of two that overlap, either may be
 * the damaged one, so the first is not taken. Brokers answer with neither (FileRecords.searchForOffsetFromPosition).
 */
function requireInOrder(
  position: bigint,
  { lastOffset }: RecordBatch | MessageSet,
  recordSet: Buffer,
  end: number,
): void {
  if (lastOffset < position) throw outOfOrder(`a batch that ends at ${lastOffset}`);
  if (end + offsetBytes > recordSet.length) return;
  const following = recordSet.readBigInt64BE(end);
  if (following <= lastOffset)
    throw outOfOrder(`a batch that ends at ${lastOffset} and one behind it at ${following}`);
}

function outOfOrder(what: string): Unreadable {
  return new Unreadable(
    `${what} came in its place, so an offset was damaged, on a disk of its leader or on the way: ` +
      'start again, and if that does not help, let another replica lead the partition',
  );
}

function readBatch(recordSet: Buffer, at: number, end: number): RecordBatch | MessageSet {
  const magic = recordSet.readInt8(at + magicAt);
  const bytes = recordSet.subarray(at, end);
  if (magic === 2) return new RecordBatch(bytes);
  if (magic === 0 || magic === 1) return new MessageSet(bytes);
  throw new Unreadable(`its records are of format ${magic}, and 0 to 2 is what can be read`);
}
