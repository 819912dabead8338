import type { OutboundRecord } from '../../services/relay/src/kafka/outbound-record.ts';
import type { ProducerIdentity } from '@outbound/kafka';

/** A batch as it reaches a broker. */
export interface ProducedBatch {
  readonly producer: ProducerIdentity;
  readonly firstSequence: number;
  readonly records: readonly OutboundRecord[];
  /** Takes what the batch adds, if it is of a transaction: nobody sees it before the commit. */
  readonly hidden?: LoggedRecord[] | undefined;
}

/**
 * A record in the log, with the epoch that wrote it; `foreign` ones were written by somebody else, or are of a transaction that is not committed.
 */
export interface LoggedRecord {
  readonly record: OutboundRecord;
  readonly epoch: number;
  isForeign: boolean;
  readonly isTransactional: boolean;
}

export type AppendResult =
  | { readonly baseOffset: number; readonly isDuplicate: boolean }
  | 'INVALID_PRODUCER_EPOCH'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER';

interface ProducerState {
  epoch: number;
  nextSequence: number;
  /** The last five batches: what Kafka knows a repeated one by. */
  recent: { firstSequence: number; lastSequence: number; baseOffset: number }[];
}

/** A partition whose followers do not follow. */
interface FollowersBehind {
  readonly highWatermark: number;
  /** As the followers know them. */
  readonly producers: ReadonlyMap<bigint, ProducerState>;
  readonly since: (ProducedBatch | OutboundRecord)[];
}

const rememberedBatches = 5;

/**
 * One partition and Kafka's rules for idempotent producers: an older epoch than the newest that wrote here is refused; a newer one
 * begins at 0; a batch whose first and last sequence are those of one of the last five is a duplicate, whatever it holds; any other
 * must follow on the last. A producer that the partition does not know may begin anywhere.
 * Source: Kafka's `ProducerAppendInfo.checkProducerEpoch` and `checkSequence`, `ProducerStateEntry.findDuplicateBatch`.
 */
export class PartitionLog {
  /** Everything that was ever appended, by offset. */
  readonly records: LoggedRecord[] = [];
  readonly #producers = new Map<bigint, ProducerState>();
  /** First offset that retention has left. */
  startOffset = 0;
  /** Set while the followers do not follow: what was replicated, and what has come since. */
  #behind: FollowersBehind | undefined;

  get endOffset(): number {
    return this.records.length;
  }

  /** What every replica in sync has ends here: further no reader sees, and nothing further is confirmed. */
  get highWatermark(): number {
    return this.#behind?.highWatermark ?? this.records.length;
  }

  get isReplicated(): boolean {
    return this.#behind === undefined;
  }

  /** From now on the followers fetch nothing. */
  leaveFollowersBehind(): void {
    this.#behind ??= {
      highWatermark: this.records.length,
      producers: copied(this.#producers),
      since: [],
    };
  }

  /** The followers have everything again. */
  catchUp(): void {
    this.#behind = undefined;
  }

  /** A follower leads, who has the first `kept` batches of those that were not replicated everywhere; nobody has the others any more. */
  truncate(kept: (batches: number) => number): void {
    const behind = this.#behind;
    if (!behind) return;
    this.#behind = undefined;
    this.records.length = behind.highWatermark;
    this.#producers.clear();
    for (const [id, state] of behind.producers) this.#producers.set(id, state);
    for (const each of behind.since.slice(0, kept(behind.since.length)))
      if ('producer' in each) this.append(each);
      else this.appendForeign(each);
  }

  /** Nothing is known of producers any more, as when they have been silent for longer than `producer.id.expiration.ms`. */
  forgetProducers(): void {
    this.#producers.clear();
  }

  append({ producer, firstSequence, records, hidden }: ProducedBatch): AppendResult {
    const { producerId, producerEpoch } = producer;
    const state = this.#producers.get(producerId);
    const lastSequence = firstSequence + records.length - 1;
    if (state && producerEpoch < state.epoch) return 'INVALID_PRODUCER_EPOCH';
    if (state && producerEpoch > state.epoch && firstSequence !== 0)
      return 'OUT_OF_ORDER_SEQUENCE_NUMBER';
    if (state && producerEpoch === state.epoch) {
      const twin = state.recent.find(
        (batch) => batch.firstSequence === firstSequence && batch.lastSequence === lastSequence,
      );
      if (twin) return { baseOffset: twin.baseOffset, isDuplicate: true };
      if (firstSequence !== state.nextSequence) return 'OUT_OF_ORDER_SEQUENCE_NUMBER';
    }
    const baseOffset = this.records.length;
    this.#behind?.since.push({ producer, firstSequence, records });
    for (const record of records) {
      const isTransactional = hidden !== undefined;
      const entry = { record, epoch: producerEpoch, isForeign: isTransactional, isTransactional };
      this.records.push(entry);
      hidden?.push(entry);
    }
    const isNewEpoch = !state || state.epoch !== producerEpoch;
    const recent = isNewEpoch ? [] : state.recent;
    recent.push({ firstSequence, lastSequence, baseOffset });
    if (recent.length > rememberedBatches) recent.shift();
    this.#producers.set(producerId, {
      epoch: producerEpoch,
      nextSequence: lastSequence + 1,
      recent,
    });
    return { baseOffset, isDuplicate: false };
  }

  /** The marker of a transaction's end: refuses older epochs as a batch of this one does (Kafka's `ProducerAppendInfo.appendEndTxnMarker`). */
  mark({ producerId, producerEpoch }: ProducerIdentity): void {
    const state = this.#producers.get(producerId);
    if (state && state.epoch >= producerEpoch) return;
    this.#producers.set(producerId, { epoch: producerEpoch, nextSequence: 0, recent: [] });
  }

  /** A record of somebody else, without numbers. */
  appendForeign(record: OutboundRecord): void {
    this.#behind?.since.push(record);
    this.records.push({ record, epoch: -1, isForeign: true, isTransactional: false });
  }
}

function copied(producers: ReadonlyMap<bigint, ProducerState>): Map<bigint, ProducerState> {
  return new Map(
    Array.from(producers, ([id, state]) => [id, { ...state, recent: [...state.recent] }]),
  );
}
