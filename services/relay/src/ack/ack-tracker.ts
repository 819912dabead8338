import { maxLsn, noLsn, type Lsn } from '../wal/lsn.ts';

/** One transaction between its first message and the acknowledgement of everything before and in it. */
export interface TrackedTransaction {
  /** Records that are not in Kafka yet. */
  undelivered: number;
  /** First byte after the commit record; undefined until the commit was read. */
  endLsn: Lsn | undefined;
  previous: TrackedTransaction | undefined;
  next: TrackedTransaction | undefined;
}

/**
 * Decides how far the slot may follow: `ackLsn` is the end of the last transaction before which, and in which, nothing is
 * undelivered (I6). It never falls. A keepalive moves it only when nothing is in flight and no transaction is open; one that
 * comes while transactions are in flight raises the end of the last committed one, since nothing lies between.
 * (YugabyteDB 33418 lost data where this guard was wrong.) No clock, no I/O; exact positions, never one more.
 *
 * Only transactions with something undelivered are listed (and the one that is open), so memory follows what is in flight and not
 * how long one partition is stuck (I9): a transaction that is done behind an undone one is nothing but a further end of that one.
 */
export class AckTracker {
  #oldest: TrackedTransaction | undefined;
  #newest: TrackedTransaction | undefined;
  #length = 0;
  #ackLsn: Lsn = noLsn;

  /** Safe to report; 0 while nothing is. */
  get ackLsn(): Lsn {
    return this.#ackLsn;
  }

  /** Nothing that was read is still on its way. */
  get isIdle(): boolean {
    return this.#oldest === undefined;
  }

  /** Transactions that are listed. */
  get length(): number {
    return this.#length;
  }

  /** A transaction's messages begin. Transactions come in commit order, one after the other. */
  begin(): TrackedTransaction {
    const transaction: TrackedTransaction = {
      undelivered: 0,
      endLsn: undefined,
      previous: this.#newest,
      next: undefined,
    };
    if (this.#newest) this.#newest.next = transaction;
    else this.#oldest = transaction;
    this.#newest = transaction;
    this.#length += 1;
    return transaction;
  }

  /** The transaction's commit was read: it has no further records. */
  commit(transaction: TrackedTransaction, endLsn: Lsn): void {
    transaction.endLsn = endLsn;
    if (transaction.undelivered === 0) this.#done(transaction, endLsn);
  }

  /** `count` records of the transaction are confirmed by Kafka. */
  delivered(transaction: TrackedTransaction, count = 1): void {
    transaction.undelivered -= count;
    const { undelivered, endLsn } = transaction;
    if (undelivered === 0 && endLsn !== undefined) this.#done(transaction, endLsn);
  }

  /** The server has sent everything that was committed before `walEnd`. */
  keepalive(walEnd: Lsn): void {
    if (!this.#newest) this.#ackLsn = maxLsn(this.#ackLsn, walEnd);
    else if (this.#newest.endLsn !== undefined)
      this.#newest.endLsn = maxLsn(this.#newest.endLsn, walEnd);
  }

  /**
   * Everything of the transaction is in Kafka, so it leaves the list. Behind an undone one its end becomes that one's: whoever comes
   * after the undone one has committed after it, so nothing undelivered lies between the two ends. The oldest moves the position.
   */
  #done(transaction: TrackedTransaction, endLsn: Lsn): void {
    const { previous, next } = transaction;
    if (previous) {
      // It has an end: the transaction after it began when it had committed.
      previous.endLsn = maxLsn(previous.endLsn ?? noLsn, endLsn);
      previous.next = next;
    } else {
      this.#ackLsn = maxLsn(this.#ackLsn, endLsn);
      this.#oldest = next;
    }
    if (next) next.previous = previous;
    else this.#newest = previous;
    this.#length -= 1;
  }
}
