import { noLsn, type Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { SenderActivity } from '../../services/relay/src/wal/sender-life.ts';
import type { StandbyStatus } from '../../services/relay/src/wal/standby-status.ts';
import type { Chance } from './chance.ts';
import type { Life } from './life.ts';
import { messagesPerRead } from './memory-ledger.ts';
import type { Scheduler } from './scheduler.ts';
import type { LoggedTransaction, OutboxRow, WalLog } from './wal-log.ts';

/** A message on its way from the server; it becomes bytes where it is read. */
export type ServerMessage =
  | { readonly kind: 'begin' | 'commit'; readonly transaction: LoggedTransaction }
  | { readonly kind: 'outbox-relation' | 'foreign-relation' | 'foreign-row' }
  | { readonly kind: 'row'; readonly row: OutboxRow }
  | { readonly kind: 'keepalive'; readonly walEnd: Lsn; readonly replyRequested: boolean };

/** What a sender needs of the server that it runs in. */
export interface SendingServer {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly log: WalLog;
  readonly confirmedLsn: Lsn;
  readonly onRowsSent: (sender: WalSender) => void;
  confirm(lsn: Lsn): void;
  /** The slot is free again. */
  released(sender: WalSender): void;
}

/** The relay's end of a replication connection, as the network sees it. */
export interface WalReceiver {
  /** Whose it is. */
  readonly life: Life;
  /** One read's worth has arrived in the socket's buffer. */
  arrived(messages: readonly ServerMessage[]): void;
  /** The connection is gone; `lostMessages` of what was buffered last are lost with it. */
  cut(): void;
}

export const walSenderTimeoutMs = 6000;
/** Messages that fit into the two socket buffers: the server waits when they are full. */
const windowMessages = 48;

/** The server's end of a replication connection. */
export class WalSender {
  readonly #postgres: SendingServer;
  readonly #receiver: WalReceiver;
  #next: number;
  #pending: ServerMessage[] = [];
  #unread = 0;
  #lastArrivalMs = 0;
  #lastReplyMs: number;
  #isAsking = false;
  #announced = new Set<string>();
  #sentLsn: Lsn;
  #isDead = false;
  #isPumpDue = false;
  isBlackholed = false;
  /** Decodes, and looks up from it for nobody. */
  #isWorking = false;
  /** The transaction that has been decoded already. */
  #decoded = -1;
  /** What has come from the relay meanwhile. */
  #answersDue: StandbyStatus[] = [];
  /** What the slot had confirmed when it was taken. */
  readonly startLsn: Lsn;

  constructor(postgres: SendingServer, receiver: WalReceiver) {
    this.#postgres = postgres;
    this.#receiver = receiver;
    this.startLsn = postgres.confirmedLsn;
    this.#sentLsn = postgres.confirmedLsn;
    this.#next = postgres.log.firstFrom(postgres.confirmedLsn);
    this.#lastReplyMs = postgres.scheduler.nowMs;
    this.#watch();
  }

  /** The relay that it streams to. */
  get life(): Life {
    return this.#receiver.life;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** The receiver has read so many messages out of its buffer. */
  read(count: number): void {
    this.#unread -= count;
    this.pump();
  }

  /** What `pg_stat_activity` says of it; undefined if it is gone. */
  get activity(): SenderActivity | undefined {
    if (this.#isDead) return undefined;
    if (this.#isWorking) return { waitEventType: null, waitEvent: null };
    return this.#unread < windowMessages
      ? { waitEventType: 'Activity', waitEvent: 'WalSenderMain' }
      : { waitEventType: 'Client', waitEvent: 'WalSenderWriteData' };
  }

  status(status: StandbyStatus): void {
    if (this.#isDead || this.isBlackholed) return;
    if (this.#isWorking) {
      this.#answersDue.push(status);
      return;
    }
    this.#lastReplyMs = this.#postgres.scheduler.nowMs;
    this.#isAsking = false;
    if (status.flush !== noLsn) this.#postgres.confirm(status.flush);
    if (status.replyRequested) this.#send([this.#keepalive(false)]);
  }

  /** The process ends: the slot is free at once. What is on its way may still arrive. */
  end(isHeard: boolean): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#postgres.released(this);
    if (isHeard && !this.isBlackholed)
      this.#postgres.scheduler.after(this.#postgres.chance.between(0.2, 30), () =>
        this.#receiver.cut(),
      );
  }

  /** Sends what there is, if there is room. */
  pump(): void {
    if (this.#isPumpDue || this.#isDead) return;
    this.#isPumpDue = true;
    this.#postgres.scheduler.after(this.#postgres.chance.between(0, 3), () => {
      this.#isPumpDue = false;
      if (!this.#isDead) this.#pump();
    });
  }

  #pump(): void {
    const { chance, log } = this.#postgres;
    if (this.#isWorking) return;
    while (this.#unread < windowMessages) {
      if (this.#pending.length === 0) {
        const transaction = log.transactions[this.#next];
        if (!transaction) break;
        if (transaction.decodeMs !== undefined && this.#decoded !== this.#next)
          return this.#work(transaction.decodeMs);
        this.#next += 1;
        this.#pending = this.#messages(transaction);
      }
      this.#send(this.#pending.splice(0, chance.int(1, messagesPerRead)));
    }
    const isCaughtUp = this.#pending.length === 0 && this.#next === log.transactions.length;
    if (
      isCaughtUp &&
      log.endLsn > this.#sentLsn &&
      this.#unread < windowMessages &&
      chance.happens(0.6)
    )
      this.#send([this.#keepalive(false)]);
  }

  /** Decodes the next transaction, which takes so long. */
  #work(ms: number): void {
    this.#isWorking = true;
    this.#postgres.scheduler.after(ms, () => {
      if (this.#isDead) return;
      this.#isWorking = false;
      this.#decoded = this.#next;
      for (const status of this.#answersDue.splice(0)) this.status(status);
      this.#pump();
    });
  }

  #messages(transaction: LoggedTransaction): ServerMessage[] {
    const { chance } = this.#postgres;
    const messages: ServerMessage[] = [{ kind: 'begin', transaction }];
    const announce = (kind: 'outbox-relation' | 'foreign-relation'): void => {
      // Sent again unasked when the server's cache was reset.
      if (this.#announced.has(kind) && !chance.happens(0.05)) return;
      this.#announced.add(kind);
      messages.push({ kind });
    };
    if (transaction.hasForeignRow) {
      announce('foreign-relation');
      messages.push({ kind: 'foreign-row' });
    }
    for (const row of transaction.rows) {
      announce('outbox-relation');
      messages.push({ kind: 'row', row });
      // In the midst of a transaction the server's position is before its commit record.
      if (chance.happens(0.06))
        messages.push({ kind: 'keepalive', walEnd: transaction.commitLsn, replyRequested: false });
    }
    messages.push({ kind: 'commit', transaction });
    return messages;
  }

  #keepalive(replyRequested: boolean): ServerMessage {
    const { log } = this.#postgres;
    const next = log.transactions[this.#next - (this.#pending.length > 0 ? 1 : 0)];
    const walEnd = next ? next.commitLsn : log.endLsn;
    if (walEnd > this.#sentLsn) this.#sentLsn = walEnd;
    return { kind: 'keepalive', walEnd, replyRequested };
  }

  #send(messages: readonly ServerMessage[]): void {
    const { scheduler, chance } = this.#postgres;
    this.#unread += messages.length;
    const atMs = Math.max(this.#lastArrivalMs, scheduler.nowMs + chance.between(0.1, 4));
    this.#lastArrivalMs = atMs;
    if (messages.some(({ kind }) => kind === 'row')) this.#postgres.onRowsSent(this);
    scheduler.after(atMs - scheduler.nowMs, () => {
      if (!this.isBlackholed) this.#receiver.arrived(messages);
    });
  }

  /** Asks a silent relay after half the timeout, and gives it up after the whole. */
  #watch(): void {
    this.#postgres.scheduler.after(walSenderTimeoutMs / 4, () => {
      if (this.#isDead) return;
      if (this.#isWorking) return this.#watch();
      const silentMs = this.#postgres.scheduler.nowMs - this.#lastReplyMs;
      if (silentMs >= walSenderTimeoutMs) return this.end(true);
      if (silentMs >= walSenderTimeoutMs / 2 && !this.#isAsking) {
        this.#isAsking = true;
        this.#send([this.#keepalive(true)]);
      }
      this.#watch();
    });
  }
}
