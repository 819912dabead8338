import type { DataOp } from '@outbound/contract';
import { noLsn, type Lsn } from '../../services/relay/src/wal/lsn.ts';

/** One outbox row as the API writes it. */
export interface OutboxRow {
  readonly eid: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly version: number;
  readonly dataOp: DataOp;
  readonly payload: Buffer;
  readonly headers: string;
  readonly createdAt: string;
}

/** A transaction in the log: committed, with at least one row of the outbox. */
export interface LoggedTransaction {
  readonly xid: number;
  /** Start of its commit record. */
  readonly commitLsn: Lsn;
  /** First byte after its commit record. */
  readonly commitEndLsn: Lsn;
  readonly commitTimeMs: number;
  readonly rows: readonly OutboxRow[];
  /** A row of another published table goes before the outbox rows. */
  readonly hasForeignRow: boolean;
  /** For how long a walsender works on it before it sends anything, as for hundreds of thousands of savepoints. */
  readonly decodeMs?: number;
}

/**
 * The write-ahead log as a decoder sees it: committed transactions in commit order, and how far it is written. Rolled-back
 * transactions and other tables take room in it and never come out.
 */
export class WalLog {
  readonly transactions: LoggedTransaction[] = [];
  #endLsn = 0x1_0000_0000n as Lsn;
  #nextXid = 0x7fff_fff0;

  get endLsn(): Lsn {
    return this.#endLsn;
  }

  /** The same log, to be written on apart from this one. */
  fork(): WalLog {
    const copy = new WalLog();
    copy.transactions.push(...this.transactions);
    copy.#endLsn = this.#endLsn;
    copy.#nextXid = this.#nextXid;
    return copy;
  }

  /** Where the last transaction with outbox rows ends. */
  get lastCommitEndLsn(): Lsn {
    return this.transactions.at(-1)?.commitEndLsn ?? noLsn;
  }

  nextXid(): number {
    this.#nextXid += 1;
    return this.#nextXid;
  }

  /** Something else was written: other tables, rows of transactions that may never commit. */
  grow(bytes: number): void {
    this.#endLsn = (this.#endLsn + BigInt(bytes)) as Lsn;
  }

  /** The commit record follows directly on what is there: two commits may touch, so one position more would skip the second. */
  commit(transaction: Omit<LoggedTransaction, 'commitLsn' | 'commitEndLsn'>): LoggedTransaction {
    const commitLsn = this.#endLsn;
    this.grow(48);
    const logged: LoggedTransaction = { ...transaction, commitLsn, commitEndLsn: this.#endLsn };
    this.transactions.push(logged);
    return logged;
  }

  /** Index of the first transaction that a stream from `lsn` delivers: one is left out when its commit record begins before `lsn`. */
  firstFrom(lsn: Lsn): number {
    let low = 0;
    let high = this.transactions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.transactions[middle]?.commitLsn ?? noLsn) < lsn) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
