import type { AbortedTransaction } from '../ports/topic-log.ts';

/** What of a batch matters to transactions. */
export interface TransactionalBatch {
  /** −1: the batch is no producer's that has an id. */
  readonly producerId: bigint;
  readonly lastOffset: bigint;
  readonly isTransactional: boolean;
  /** The batch is the marker that says that its producer's transaction was aborted. */
  readonly isAbortMarker: boolean;
}

/**
 * Which producers are within a transaction that was aborted, as the batches of one answer go by in offset order.
 * Source: Kafka's own consumer (CompletedFetch). Every batch of a producer, markers too, first opens what was aborted up to its end: compaction may have taken a
 * transaction's records and left its marker, which then must close it before the producer's next transaction comes. A marker of a commit closes nothing.
 */
export class OpenAborts {
  readonly #ahead: readonly AbortedTransaction[];
  #opened = 0;
  readonly #open = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#ahead =
      aborted.length < 2
        ? aborted
        : aborted.toSorted((a, b) =>
            a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0,
          );
  }

  /** To be asked of every batch once, in their order. True: its records belong to an aborted transaction. */
  covers(batch: TransactionalBatch): boolean {
    if (batch.producerId < 0n) return false;
    for (
      let next = this.#ahead[this.#opened];
      next !== undefined && next.firstOffset <= batch.lastOffset;
      next = this.#ahead[this.#opened]
    ) {
      this.#open.add(next.producerId);
      this.#opened += 1;
    }
    if (batch.isAbortMarker) {
      this.#open.delete(batch.producerId);
      return false;
    }
    return batch.isTransactional && this.#open.has(batch.producerId);
  }
}
