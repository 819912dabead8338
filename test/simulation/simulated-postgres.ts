import { noLsn, type Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { SourceIdentity } from '../../services/relay/src/wal/source-position.ts';
import type { StandbyStatus } from '../../services/relay/src/wal/standby-status.ts';
import type { Chance } from './chance.ts';
import { messagesPerRead } from './memory-ledger.ts';
import type { Scheduler } from './scheduler.ts';
import { WalLog, type LoggedTransaction } from './wal-log.ts';
import type { OutboxRow } from './wal-log.ts';

/** A message on its way from the server; it becomes bytes where it is read. */
export type ServerMessage =
  | { readonly kind: 'begin' | 'commit'; readonly transaction: LoggedTransaction }
  | { readonly kind: 'outbox-relation' | 'foreign-relation' | 'foreign-row' }
  | { readonly kind: 'row'; readonly row: OutboxRow }
  | { readonly kind: 'keepalive'; readonly walEnd: Lsn; readonly replyRequested: boolean };

/** The relay's end of a replication connection, as the network sees it. */
export interface WalReceiver {
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
  readonly #postgres: SimulatedPostgres;
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
  /** What the slot had confirmed when it was taken. */
  readonly startLsn: Lsn;

  constructor(postgres: SimulatedPostgres, receiver: WalReceiver) {
    this.#postgres = postgres;
    this.#receiver = receiver;
    this.startLsn = postgres.confirmedLsn;
    this.#sentLsn = postgres.confirmedLsn;
    this.#next = postgres.log.firstFrom(postgres.confirmedLsn);
    this.#lastReplyMs = postgres.scheduler.nowMs;
    this.#watch();
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** The receiver has read so many messages out of its buffer. */
  read(count: number): void {
    this.#unread -= count;
    this.pump();
  }

  status(status: StandbyStatus): void {
    if (this.#isDead || this.isBlackholed) return;
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
    while (this.#unread < windowMessages) {
      if (this.#pending.length === 0) {
        const transaction = log.transactions[this.#next];
        if (!transaction) break;
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
    scheduler.after(atMs - scheduler.nowMs, () => {
      if (!this.isBlackholed) this.#receiver.arrived(messages);
    });
  }

  /** Asks a silent relay after half the timeout, and gives it up after the whole. */
  #watch(): void {
    this.#postgres.scheduler.after(walSenderTimeoutMs / 4, () => {
      if (this.#isDead) return;
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

/** A copy of the data directory: what would be there after a crash at that moment. */
export interface DataCopy {
  readonly log: WalLog;
  readonly slotLsn: Lsn;
}

/** One database server with one slot: what it has written, what it lets be read, and what a crash or a restore makes of both. */
export class SimulatedPostgres {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  #log = new WalLog();
  #timeline = 1;
  readonly #onConfirmed: (lsn: Lsn) => void;
  #confirmedLsn: Lsn;
  #persistedLsn: Lsn;
  #holder: WalSender | undefined;
  #isUp = true;
  /** Probability that the connection for questions suffers what befalls the stream. */
  sharedFate = 0.5;
  /** Told when a relay has taken the slot. */
  onTaken: () => void = () => undefined;

  constructor(scheduler: Scheduler, chance: Chance, onConfirmed: (lsn: Lsn) => void) {
    this.scheduler = scheduler;
    this.chance = chance;
    this.#onConfirmed = onConfirmed;
    this.#confirmedLsn = this.log.endLsn;
    this.#persistedLsn = this.log.endLsn;
  }

  get log(): WalLog {
    return this.#log;
  }

  get identity(): SourceIdentity {
    return {
      systemIdentifier: '7412000000000000001',
      timeline: this.#timeline,
      database: 'shop',
      slot: 'outbound',
    };
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get confirmedLsn(): Lsn {
    return this.#confirmedLsn;
  }

  get holder(): WalSender | undefined {
    return this.#holder;
  }

  /** Takes the slot, or gives undefined if it is held. */
  startReplication(receiver: WalReceiver): WalSender | undefined {
    if (this.#holder) return undefined;
    this.#holder = new WalSender(this, receiver);
    this.#holder.pump();
    this.onTaken();
    return this.#holder;
  }

  released(sender: WalSender): void {
    if (this.#holder === sender) this.#holder = undefined;
  }

  /** As `LogicalConfirmReceivedLocation`: never backwards. */
  confirm(lsn: Lsn): void {
    if (lsn <= this.#confirmedLsn) return;
    this.#confirmedLsn = lsn;
    this.#onConfirmed(lsn);
  }

  /** Something was committed or written. */
  wrote(): void {
    this.#holder?.pump();
  }

  /** Only now does the slot's position survive a crash. */
  checkpoint(): void {
    this.#persistedLsn = this.#confirmedLsn;
  }

  crash(): void {
    this.#isUp = false;
    this.#holder?.end(true);
    this.#confirmedLsn = this.#persistedLsn;
  }

  start(): void {
    this.#isUp = true;
  }

  copy(): DataCopy {
    return { log: this.#log.fork(), slotLsn: this.#persistedLsn };
  }

  /** Brings a copy back, in the place of what is there: as the same server, or as one that was promoted and has a timeline of its own. */
  bringBack({ log, slotLsn }: DataCopy, isPromoted: boolean): void {
    this.crash();
    this.#log = log.fork();
    this.#confirmedLsn = slotLsn;
    this.#persistedLsn = slotLsn;
    if (isPromoted) this.#timeline += 1;
  }
}
