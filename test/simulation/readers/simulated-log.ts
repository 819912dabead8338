import { encodeBatch, encodeMarker, type BatchRecord } from './record-batch-encoder.ts';

/** An event as it stands in the log; `eid` names this one record of the world. */
export interface LoggedEvent {
  readonly eid: string;
  readonly key: string;
  readonly version: number;
  readonly isTombstone: boolean;
  readonly bytes: Omit<BatchRecord, 'offset'>;
}

/** A record of the log, and what became of it. */
export interface LoggedRecord extends LoggedEvent {
  readonly offset: number;
  /** `open` until its transaction has ended. */
  fate: 'open' | 'committed' | 'aborted';
  /** Cleaned, or behind retention: no reader can be blamed for not having it. */
  isRemoved: boolean;
  /** By retention: a group that was to read it must be told. */
  isRetired: boolean;
}

interface LoggedBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly producerId: number;
  readonly timestampMs: number;
  readonly marker: 'abort' | 'commit' | undefined;
  readonly isTransactional: boolean;
  records: readonly LoggedRecord[];
  bytes: Buffer;
}

interface Transaction {
  readonly producerId: number;
  readonly firstOffset: number;
  markerOffset: number | undefined;
  isAborted: boolean;
  /** Whether brokers still list it among the aborted ones. */
  isListed: boolean;
}

/** What a read of the log gives. */
export interface LogRead {
  readonly bytes: Buffer;
  readonly aborted: readonly {
    readonly producerId: number;
    readonly firstOffset: number;
  }[];
}

/**
 * One partition's log with Kafka's rules: batches with bounds, transactions that are open, committed or aborted by markers, a high watermark that may be behind the
 * end, a last stable offset, retention, and cleaning. Sources: Kafka's `UnifiedLog` (last stable offset, `collectAbortedTransactions`), `Cleaner`,
 * `CleanedTransactionMetadata` (a marker stays listed for the cleaning that takes its data, and is an orphan after the next one).
 */
export class SimulatedLog {
  /** Every record that was ever appended and not cut off, in order. */
  readonly records: LoggedRecord[] = [];
  #batches: LoggedBatch[] = [];
  #transactions: Transaction[] = [];
  startOffset = 0;
  endOffset = 0;
  highWatermark = 0;

  /** First offset of a transaction that is open, or whose marker is not on every replica yet; else the high watermark. */
  get lastStableOffset(): number {
    let stable = this.highWatermark;
    for (const { firstOffset, markerOffset } of this.#transactions)
      if (markerOffset === undefined || markerOffset >= this.highWatermark)
        stable = Math.min(stable, firstOffset);
    return stable;
  }

  append(
    events: readonly LoggedEvent[],
    at: { readonly leaderEpoch: number; readonly timestampMs: number },
    producer?: { readonly id: number; readonly isTransactional: boolean },
  ): readonly LoggedRecord[] {
    const baseOffset = this.endOffset;
    const isTransactional = producer?.isTransactional ?? false;
    const records = events.map((event, index): LoggedRecord => ({
      ...event,
      offset: baseOffset + index,
      fate: isTransactional ? 'open' : 'committed',
      isRemoved: false,
      isRetired: false,
    }));
    const producerId = producer?.id ?? -1;
    if (isTransactional && !this.#open(producerId))
      this.#transactions.push({
        producerId,
        firstOffset: baseOffset,
        markerOffset: undefined,
        isAborted: false,
        isListed: false,
      });
    const lastOffset = baseOffset + events.length - 1;
    const head = { baseOffset, lastOffset, producerId, isTransactional, ...at };
    this.records.push(...records);
    this.#push({ ...head, marker: undefined, records, bytes: Buffer.alloc(0) });
    return records;
  }

  /** Ends the producer's transaction; a marker is written also if it has written nothing here. */
  endTransaction(
    producerId: number,
    type: 'abort' | 'commit',
    at: { readonly leaderEpoch: number; readonly timestampMs: number },
  ): void {
    const transaction = this.#open(producerId);
    const baseOffset = this.endOffset;
    if (transaction) {
      transaction.markerOffset = baseOffset;
      transaction.isAborted = transaction.isListed = type === 'abort';
      for (const batch of this.#batches)
        if (batch.producerId === producerId && batch.baseOffset >= transaction.firstOffset)
          for (const record of batch.records)
            record.fate = type === 'abort' ? 'aborted' : 'committed';
    }
    const head = {
      baseOffset,
      lastOffset: baseOffset,
      producerId,
      isTransactional: true,
      ...at,
    };
    this.#push({ ...head, marker: type, records: [], bytes: Buffer.alloc(0) });
  }

  hasOpenTransaction(producerId: number): boolean {
    return this.#open(producerId) !== undefined;
  }

  /** What only an old leader had, at or above `offset`, is cut off batch by batch and given back; transactions are left alone. */
  cutTo(offset: number): readonly LoggedEvent[] {
    const lost: LoggedEvent[] = [];
    for (;;) {
      const last = this.#batches.at(-1);
      if (!last || last.isTransactional || last.baseOffset < offset) return lost;
      this.#batches.pop();
      this.endOffset = last.baseOffset;
      lost.unshift(...this.records.splice(this.records.length - last.records.length));
    }
  }

  /** Retention: nothing below `offset` is there any more. */
  removeBefore(offset: number): void {
    this.startOffset = Math.max(this.startOffset, Math.min(offset, this.highWatermark));
    for (const record of this.records)
      if (record.offset < this.startOffset && !record.isRemoved)
        record.isRemoved = record.isRetired = true;
    this.#batches = this.#batches.filter(({ lastOffset }) => lastOffset >= this.startOffset);
  }

  /**
   * One pass of the cleaner below `offset`, which never reaches the newest batch or what is not stable: older states of a key go, aborted records go, markers stay.
   * @param keepsBounds whether a batch that has lost all its records leaves its bounds.
   * @param takesTombstone whether this deletion is old enough to go too.
   */
  clean(
    offset: number,
    keepsBounds: (baseOffset: number) => boolean,
    takesTombstone: (record: LoggedRecord) => boolean,
  ): void {
    const newest = this.#batches.at(-1)?.baseOffset ?? 0;
    const below = Math.min(offset, this.lastStableOffset, newest);
    const latest = new Map<string, number>();
    for (const { records, lastOffset } of this.#batches)
      if (lastOffset < below)
        for (const record of records)
          if (record.fate === 'committed') latest.set(record.key, record.offset);
    const isKept = (record: LoggedRecord): boolean =>
      record.fate === 'committed' &&
      latest.get(record.key) === record.offset &&
      !(record.isTombstone && takesTombstone(record));
    this.#cleanMarkers(below);
    this.#batches = this.#batches.filter((batch) => {
      if (batch.lastOffset >= below || batch.marker) return true;
      const kept = batch.records.filter(isKept);
      if (kept.length === batch.records.length)
        return kept.length > 0 || keepsBounds(batch.baseOffset);
      for (const record of batch.records) record.isRemoved ||= !isKept(record);
      batch.records = kept;
      batch.bytes = encode(batch);
      return kept.length > 0 || keepsBounds(batch.baseOffset);
    });
  }

  /**
   * From the batch that holds `offset` or follows it, up to the last stable offset: cut off at `maxBytes`, but the first batch is whole if `isFirst`.
   */
  read(offset: number, maxBytes: number, isFirst: boolean): LogRead {
    const below = this.lastStableOffset;
    const parts: Buffer[] = [];
    let bytes = 0;
    let upTo = below;
    for (const batch of this.#batches) {
      if (batch.lastOffset < offset) continue;
      if (batch.baseOffset >= below) break;
      if (bytes >= maxBytes && !(isFirst && parts.length === 0)) {
        upTo = Math.min(upTo, batch.baseOffset);
        break;
      }
      const room = isFirst && parts.length === 0 ? batch.bytes.length : maxBytes - bytes;
      parts.push(batch.bytes.subarray(0, room));
      bytes += Math.min(room, batch.bytes.length);
    }
    const aborted = this.#transactions
      .filter(
        ({ isListed, markerOffset = Infinity, firstOffset }) =>
          isListed && markerOffset >= offset && firstOffset < upTo,
      )
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
    // A copy, as every answer of a broker is.
    return { bytes: Buffer.concat(parts), aborted };
  }

  /** The first offset of a batch that was written at or after this time; undefined where there is none. */
  offsetAt(timeMs: number): number | undefined {
    return this.#batches.find(
      (batch) => batch.timestampMs >= timeMs && batch.baseOffset < this.lastStableOffset,
    )?.baseOffset;
  }

  /** Whatever was appended at offsets in [from, to). */
  recordsFrom(from: number, to: number): LoggedRecord[] {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.records[middle]?.offset ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    const found: LoggedRecord[] = [];
    for (let index = low; index < this.records.length; index += 1) {
      const record = this.records[index];
      if (!record || record.offset >= to) break;
      found.push(record);
    }
    return found;
  }

  /** The state of every key at `offset`: what a rebuild that read up to there must hold. */
  stateAt(offset: number): Map<string, LoggedRecord> {
    const state = new Map<string, LoggedRecord>();
    for (const record of this.records) {
      if (record.offset >= offset) break;
      if (record.fate !== 'committed') continue;
      if (record.isTombstone) state.delete(record.key);
      else state.set(record.key, record);
    }
    return state;
  }

  /** Transactions whose data an earlier pass has taken are not listed any more, though their marker stays. */
  #cleanMarkers(below: number): void {
    for (const transaction of this.#transactions) {
      const { producerId, firstOffset, markerOffset } = transaction;
      if (!transaction.isListed || markerOffset === undefined || markerOffset >= below) continue;
      transaction.isListed = this.#batches.some(
        (batch) =>
          batch.producerId === producerId &&
          batch.records.length > 0 &&
          batch.baseOffset >= firstOffset &&
          batch.lastOffset < markerOffset,
      );
    }
  }

  #open(producerId: number): Transaction | undefined {
    return this.#transactions.find(
      (each) => each.producerId === producerId && each.markerOffset === undefined,
    );
  }

  #push(batch: LoggedBatch): void {
    batch.bytes = encode(batch);
    this.#batches.push(batch);
    this.endOffset = batch.lastOffset + 1;
  }
}

function encode(batch: LoggedBatch): Buffer {
  if (batch.marker) return encodeMarker(batch, batch.marker);
  return encodeBatch(
    batch,
    batch.records.map(({ offset, bytes }) => ({ offset, ...bytes })),
  );
}
