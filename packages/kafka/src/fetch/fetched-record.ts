import type { KafkaRecord, RecordHeader } from '../records/kafka-record.ts';
import { headersByName, headersInOrder } from './record-headers.ts';

/** Where a record's parts are in the bytes of its batch. A length of −1 is null. */
export interface RecordParts {
  readonly bytes: Buffer;
  readonly keyAt: number;
  readonly keyLength: number;
  readonly valueAt: number;
  readonly valueLength: number;
  /** Begins with the count of headers; `headersEnd` if the format has none. */
  readonly headersAt: number;
  readonly headersEnd: number;
}

/** A record of a fetched batch that has been checked: nothing of it is decoded before it is asked for, and then only once. */
export class FetchedRecord implements KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly #bytes: Buffer;
  readonly #keyAt: number;
  readonly #keyLength: number;
  readonly #valueAt: number;
  readonly #valueLength: number;
  readonly #headersAt: number;
  readonly #headersEnd: number;
  #key: Buffer | null | undefined = undefined;
  #value: Buffer | null | undefined = undefined;
  #headers: Readonly<Record<string, string>> | undefined = undefined;

  constructor(
    topic: string,
    partition: number,
    offset: bigint,
    timestampMs: number,
    parts: RecordParts,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.#bytes = parts.bytes;
    this.#keyAt = parts.keyAt;
    this.#keyLength = parts.keyLength;
    this.#valueAt = parts.valueAt;
    this.#valueLength = parts.valueLength;
    this.#headersAt = parts.headersAt;
    this.#headersEnd = parts.headersEnd;
  }

  get key(): Buffer | null {
    return (this.#key ??= this.#view(this.#keyAt, this.#keyLength));
  }

  get value(): Buffer | null {
    return (this.#value ??= this.#view(this.#valueAt, this.#valueLength));
  }

  get headers(): Readonly<Record<string, string>> {
    return (this.#headers ??=
      this.#headersAt === this.#headersEnd
        ? {}
        : headersByName(this.#bytes, this.#headersAt, this.#headersEnd));
  }

  headerList(): readonly RecordHeader[] {
    return this.#headersAt === this.#headersEnd ? [] : headersInOrder(this.#bytes, this.#headersAt);
  }

  #view(at: number, length: number): Buffer | null {
    return length < 0 ? null : this.#bytes.subarray(at, at + length);
  }
}
