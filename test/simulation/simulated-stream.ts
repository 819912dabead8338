import { RelayError } from '../../services/relay/src/errors.ts';
import type {
  ChangeListener,
  ChangeStream,
  SourceProgress,
} from '../../services/relay/src/wal/change-source.ts';
import { livenessCheckMs } from '../../services/relay/src/wal/liveness.ts';
import { maxLsn, noLsn, type Lsn } from '../../services/relay/src/wal/lsn.ts';
import { SenderWatch } from '../../services/relay/src/wal/sender-watch.ts';
import {
  defaultStatusTiming,
  statusDueInMs,
  statusIntervalMs,
  statusToSend,
} from '../../services/relay/src/wal/standby-status.ts';
import type { Life } from './life.ts';
import type { MemoryLedger } from './memory-ledger.ts';
import type { PgoutputEncoder } from './pgoutput-encoder.ts';
import { asTold, type SimulatedStreamOptions } from './simulated-stream-options.ts';
import type { Timer } from './scheduler.ts';
import {
  walSenderTimeoutMs,
  type ServerMessage,
  type WalReceiver,
  type WalSender,
} from './wal-sender.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';

const timing = {
  ...defaultStatusTiming,
  intervalMs: statusIntervalMs(defaultStatusTiming.intervalMs, walSenderTimeoutMs),
};
/** A server that does not answer a question within this is one that can't be asked. */
const questionTimeoutMs = 2000;

/** The relay's end of one replication connection, and of the connection for questions beside it. */
export class SimulatedStream implements ChangeStream, WalReceiver {
  readonly #postgres: SimulatedPostgres;
  readonly #life: Life;
  readonly #encoder: PgoutputEncoder;
  readonly #listener: ChangeListener;
  readonly #memory: MemoryLedger | undefined;
  #sender: WalSender | undefined;
  #buffer: (readonly ServerMessage[])[] = [];
  #isStarted = false;
  /** False until `open` has resolved, once something was read. */
  #mayReadOn = true;
  #isPaused = false;
  #isClosed = false;
  #isReadDue = false;
  #hasRead = false;
  #isCut = false;
  #receivedLsn: Lsn = noLsn;
  #progress: SourceProgress = { ackLsn: noLsn, idle: false };
  #sentFlushLsn: Lsn = noLsn;
  #sentMs = -Infinity;
  #isReplyDue = false;
  readonly #watch: SenderWatch;
  #lastStatusMs = 0;
  #statusTimer: Timer | undefined;
  readonly #sharesFate: boolean;

  constructor(options: SimulatedStreamOptions, listener: ChangeListener) {
    const { postgres, life, encoder, memory, activityOf = asTold, onSilence } = options;
    this.#postgres = postgres;
    this.#life = life;
    this.#encoder = encoder;
    this.#listener = listener;
    this.#memory = memory;
    this.#sharesFate = postgres.chance.happens(postgres.sharedFate);
    this.#watch = new SenderWatch({
      walSenderTimeoutMs,
      ask: () => {
        this.#sendStatus(true);
        return life.clock.nowMs();
      },
      activity: () => this.#ask(() => activityOf(this.#sender?.activity)),
      onLost: (reason) => this.#end(reason.message),
      onSilence: (silentMs) => onSilence?.(silentMs),
      nowMs: () => life.clock.nowMs(),
    });
  }

  get life(): Life {
    return this.#life;
  }

  get identity() {
    return this.#postgres.identity;
  }

  get startLsn(): Lsn {
    return this.#sender?.startLsn ?? noLsn;
  }

  get isEnded(): boolean {
    return this.#isCut;
  }

  attach(sender: WalSender): void {
    this.#sender = sender;
    // The kernel of a dead process closes its sockets; a dead machine says nothing.
    this.#life.onDeath(() => {
      if (this.#postgres.chance.happens(0.8))
        this.#postgres.scheduler.after(this.#postgres.chance.between(0.1, 30), () =>
          sender.end(false),
        );
    });
  }

  start(): void {
    this.#isStarted = true;
    this.#mayReadOn = false;
    this.#check();
    this.#sendStatusIfDue();
    this.#readSoon();
  }

  opened(resolve: (stream: ChangeStream) => void): void {
    this.#mayReadOn = true;
    resolve(this);
    this.#postgres.scheduler.after(0, () => this.#readSoon());
  }

  report(progress: SourceProgress): void {
    if (!this.#life.act()) return;
    this.#progress = progress;
    this.#sendStatusIfDue();
  }

  pause(): void {
    this.#isPaused = true;
    this.#watch.pause(true);
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#watch.pause(false);
    this.#readSoon();
  }

  get heldForMs(): number {
    return walSenderTimeoutMs - timing.intervalMs;
  }

  holdsSlot(): Promise<boolean> {
    return this.#ask(() => this.#postgres.holder === this.#sender);
  }

  flushedLsn(): Promise<Lsn> {
    return this.#ask(() => this.#postgres.log.endLsn);
  }

  /** A question beside the stream, on a connection of its own: what befalls the stream may spare it. */
  #ask<T>(answer: () => T): Promise<T> {
    const { scheduler, chance } = this.#postgres;
    return new Promise((resolve, reject) => {
      if (!this.#life.act()) return;
      const answered = (value: T) => () => resolve(value);
      const refuse = (): void =>
        reject(new RelayError('SOURCE_CONNECTION_LOST', 'the server does not answer'));
      scheduler.after(chance.between(0.2, 10), () => {
        const canAnswer =
          this.#postgres.isUp && !(this.#sharesFate && this.#sender?.isBlackholed !== false);
        const give = canAnswer ? answered(answer()) : refuse;
        scheduler.after(canAnswer ? chance.between(0.2, 10) : questionTimeoutMs, () =>
          this.#life.deliver('postgres', give),
        );
      });
    });
  }

  close(): Promise<void> {
    const { scheduler, chance } = this.#postgres;
    return new Promise((resolve) => {
      if (!this.#life.act()) return;
      if (!this.#isClosed) this.#sendStatus(false);
      this.#isClosed = true;
      this.#watch.stop();
      this.#statusTimer?.cancel();
      const sender = this.#sender;
      scheduler.after(chance.between(0.2, 20) + 5, () => {
        if (sender?.isBlackholed !== true) sender?.end(false);
      });
      this.#life.after(chance.between(0.2, 50), resolve, 'postgres');
    });
  }

  /** In the kernel: also while the process is stopped. */
  arrived(messages: readonly ServerMessage[]): void {
    if (this.#isCut) return;
    this.#buffer.push(messages);
    this.#readSoon();
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    // What was buffered may be read to its end, be lost, or end within a read.
    const { chance } = this.#postgres;
    const kept = this.#buffer.slice(0, chance.int(0, this.#buffer.length));
    const last = kept.pop();
    if (last) kept.push(last.slice(0, chance.int(0, last.length)));
    this.#buffer = kept;
    this.#life.deliver('postgres', () => {
      if (!this.#isStarted) return;
      while (this.#canRead) this.#read();
      this.#end('the connection was reset');
    });
  }

  get #canRead(): boolean {
    const isHeld = !this.#mayReadOn && this.#hasRead;
    return this.#buffer.length > 0 && !this.#isPaused && !this.#isClosed && !isHeld;
  }

  #readSoon(): void {
    if (this.#isReadDue || !this.#isStarted || this.#isCut) return;
    this.#isReadDue = true;
    this.#life.deliver('postgres', () => {
      this.#isReadDue = false;
      if (!this.#canRead) return;
      this.#read();
      if (this.#buffer.length > 0) this.#postgres.scheduler.after(0, () => this.#readSoon());
    });
  }

  /** One read: what it holds is handed over to its end, also after a `pause` in its midst. */
  #read(): void {
    const messages = this.#buffer.shift() ?? [];
    this.#hasRead = true;
    this.#watch.heard();
    for (const message of messages) {
      if (this.#isClosed) return;
      this.#take(message);
    }
    this.#sender?.read(messages.length);
  }

  #take(message: ServerMessage): void {
    if (message.kind === 'keepalive') {
      this.#receivedLsn = maxLsn(this.#receivedLsn, message.walEnd);
      this.#listener.keepalive(message.walEnd);
      if (message.replyRequested) {
        this.#isReplyDue = true;
        this.#sendStatusIfDue();
      }
      return;
    }
    if (message.kind === 'commit')
      this.#receivedLsn = maxLsn(this.#receivedLsn, message.transaction.commitEndLsn);
    if (message.kind === 'row') this.#memory?.row(message.row);
    this.#listener.message(this.#encoder.encoded(message));
    this.#encoder.poison();
  }

  #state() {
    return {
      receivedLsn: this.#receivedLsn,
      progress: this.#progress,
      sentFlushLsn: this.#sentFlushLsn,
      sentMs: this.#sentMs,
      isReplyDue: this.#isReplyDue,
    };
  }

  #sendStatusIfDue(): void {
    if (this.#isClosed || !this.#isStarted) return;
    const nowMs = this.#life.clock.nowMs();
    if (statusDueInMs(this.#state(), nowMs, timing) <= 0) this.#sendStatus(false);
    this.#statusTimer?.cancel();
    const dueInMs = Math.max(1, statusDueInMs(this.#state(), nowMs, timing));
    this.#statusTimer = this.#life.after(dueInMs, () => this.#sendStatusIfDue());
  }

  #sendStatus(replyRequested: boolean): void {
    if (!this.#life.act()) return;
    const { scheduler, chance } = this.#postgres;
    const status = statusToSend(this.#state(), replyRequested);
    this.#sentFlushLsn = maxLsn(this.#sentFlushLsn, status.flush);
    this.#sentMs = this.#life.clock.nowMs();
    this.#isReplyDue = false;
    const sender = this.#sender;
    const atMs = Math.max(this.#lastStatusMs, scheduler.nowMs + chance.between(0.1, 5));
    this.#lastStatusMs = atMs;
    scheduler.after(atMs - scheduler.nowMs, () => sender?.status(status));
  }

  #check(): void {
    this.#life.after(livenessCheckMs(walSenderTimeoutMs), () => {
      if (this.#isClosed) return;
      this.#watch.check();
      this.#check();
    });
  }

  #end(why: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch.stop();
    this.#statusTimer?.cancel();
    this.#listener.closed(new RelayError('SOURCE_CONNECTION_LOST', why));
  }
}
