import { EventEmitter, once } from 'node:events';
import type { RelayError } from '../../errors.ts';
import type { ChangeListener, ChangeStream } from '../change-source.ts';
import type { Lsn } from '../lsn.ts';
import { TransactionAssembler } from '../transaction-assembler.ts';
import type { SourceIdentity, SourcePosition } from '../source-position.ts';

export interface ReadTransaction {
  readonly xid: number;
  readonly commitLsn: Lsn;
  readonly rows: {
    readonly id: string;
    readonly payload: Buffer;
    readonly position: SourcePosition;
  }[];
  commitEndLsn: Lsn | undefined;
}

/** A reader that keeps what it is told, for tests: it acknowledges nothing by itself, unless `acknowledgesAll`. */
export class RecordingReader implements ChangeListener {
  readonly transactions: ReadTransaction[] = [];
  readonly keepalives: Lsn[] = [];
  readonly openings: SourceIdentity[] = [];
  readonly closings: RelayError[] = [];
  /** Thrown at the row with this id, as a defect of a reader would. */
  throwsAtId: string | undefined;
  acknowledgesAll = false;
  messageCount = 0;
  byteCount = 0;
  readonly #emitter = new EventEmitter();
  #columns: readonly string[] = [];
  #stream: ChangeStream | undefined;
  readonly #assembler = new TransactionAssembler({
    begin: ({ xid, commitLsn }) => {
      this.transactions.push({ xid, commitLsn, rows: [], commitEndLsn: undefined });
    },
    relation: ({ columns }) => {
      this.#columns = columns.map((column) => column.name);
    },
    insert: (tuple, position) => {
      const id = tuple.text(this.#columns.indexOf('id')) ?? '';
      if (id === this.throwsAtId) throw new Error('the reader has a defect');
      const payload = tuple.copyBytes(this.#columns.indexOf('payload')) ?? Buffer.alloc(0);
      this.transactions.at(-1)?.rows.push({ id, payload, position });
    },
    commit: (commitEndLsn) => {
      const transaction = this.transactions.at(-1);
      if (transaction) transaction.commitEndLsn = commitEndLsn;
      if (this.acknowledgesAll) this.#stream?.report({ ackLsn: commitEndLsn, idle: true });
    },
  });

  attach(stream: ChangeStream): ChangeStream {
    this.#stream = stream;
    const last = this.transactions.at(-1)?.commitEndLsn;
    if (this.acknowledgesAll && last !== undefined) stream.report({ ackLsn: last, idle: true });
    return stream;
  }

  get ids(): string[] {
    return this.transactions.flatMap((transaction) => transaction.rows.map((row) => row.id));
  }

  get rowCount(): number {
    return this.transactions.reduce((sum, { rows }) => sum + rows.length, 0);
  }

  opened(identity: SourceIdentity): void {
    this.openings.push(identity);
  }

  message(bytes: Buffer): void {
    this.messageCount += 1;
    this.byteCount += bytes.length;
    this.#assembler.read(bytes);
    this.#emitter.emit('told');
  }

  keepalive(walEnd: Lsn): void {
    this.keepalives.push(walEnd);
    const isBetween = this.transactions.every(({ commitEndLsn }) => commitEndLsn !== undefined);
    if (this.acknowledgesAll && isBetween) this.#stream?.report({ ackLsn: walEnd, idle: true });
    this.#emitter.emit('told');
  }

  closed(reason: RelayError): void {
    this.closings.push(reason);
    this.#emitter.emit('told');
  }

  /** Resolves when `holds` does, looked at after everything that is told; rejects after `timeoutMs`. */
  async until(holds: () => boolean, timeoutMs = 15_000): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!holds())
      try {
        await once(this.#emitter, 'told', { signal });
      } catch (cause) {
        const closings = this.closings.map(String).join(', ') || 'the stream is open';
        throw new Error(`not so within ${timeoutMs} ms; read ${this.rowCount} rows, ${closings}`, {
          cause,
        });
      }
  }

  async untilIds(count: number): Promise<string[]> {
    await this.until(
      () => this.rowCount >= count && this.transactions.at(-1)?.commitEndLsn !== undefined,
    );
    return this.ids;
  }
}
