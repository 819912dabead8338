import { maxLsn, noLsn, type Lsn } from '../wal/lsn.ts';

/** One transaction between its first message and the acknowledgement of everything before and in it. */
export interface TrackedTransaction {
  /** Records that are not in Kafka yet. */
  undelivered: number;
  /** First byte after the commit record; undefined until the commit was read. */
  endLsn: Lsn | undefined;
  next: TrackedTransaction | undefined;
}

/**
 * Decides how far the slot may follow: `ackLsn` is the end of the last transaction before which, and in which, nothing is
 * undelivered (I6). It never falls. A keepalive moves it only when nothing is in flight and no transaction is open; one that
 * comes while transactions are in flight raises the end of the last committed one, since nothing lies between.
 * (YugabyteDB 33418 lost data where this guard was wrong.) No clock, no I/O; exact positions, never one more.
 */
export class AckTracker {
  #oldest: TrackedTransaction | undefined;
  #newest: TrackedTransaction | undefined;
  #ackLsn: Lsn = noLsn;

  /** Safe to report; 0 while nothing is. */
  get ackLsn(): Lsn {
    return this.#ackLsn;
  }

  /** Nothing that was read is still on its way. */
  get isIdle(): boolean {
    return this.#oldest === undefined;
  }

  /** A transaction's messages begin. Transactions come in commit order, one after the other. */
  begin(): TrackedTransaction {
    const transaction: TrackedTransaction = { undelivered: 0, endLsn: undefined, next: undefined };
    if (this.#newest) this.#newest.next = transaction;
    else this.#oldest = transaction;
    this.#newest = transaction;
    return transaction;
  }

  /** The transaction's commit was read: it has no further records. */
  commit(transaction: TrackedTransaction, endLsn: Lsn): void {
    transaction.endLsn = endLsn;
    this.#advance();
  }

  /** `count` records of the transaction are confirmed by Kafka. */
  delivered(transaction: TrackedTransaction, count = 1): void {
    transaction.undelivered -= count;
    if (transaction.undelivered === 0 && transaction === this.#oldest) this.#advance();
  }

  /** The server has sent everything that was committed before `walEnd`. */
  keepalive(walEnd: Lsn): void {
    if (!this.#newest) this.#ackLsn = maxLsn(this.#ackLsn, walEnd);
    else if (this.#newest.endLsn !== undefined)
      this.#newest.endLsn = maxLsn(this.#newest.endLsn, walEnd);
  }

  #advance(): void {
    while (this.#oldest?.endLsn !== undefined && this.#oldest.undelivered === 0) {
      this.#ackLsn = maxLsn(this.#ackLsn, this.#oldest.endLsn);
      this.#oldest = this.#oldest.next;
    }
    if (!this.#oldest) this.#newest = undefined;
  }
}
