import type { SourceProgress } from './change-source.ts';
import { maxLsn, noLsn, type Lsn } from './lsn.ts';
import {
  encodeStandbyStatus,
  statusDueInMs,
  statusToSend,
  type StatusState,
  type StatusTiming,
} from './standby-status.ts';

/**
 * Keeps what a connection has received, acknowledged and told, and writes a status update whenever `standby-status.ts` says that one is
 * due: at once when it may, else by its own monotonic timer, which neither back-pressure nor a jump of the wall clock stops.
 */
export class StatusReporter {
  readonly #timing: StatusTiming;
  readonly #write: (frame: Buffer) => void;
  #receivedLsn: Lsn;
  #progress: SourceProgress = { ackLsn: noLsn, idle: false };
  #sentFlushLsn: Lsn = noLsn;
  #sentMs = -Infinity;
  #isReplyDue = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #isRunning = false;

  constructor({
    timing,
    write,
    receivedLsn = noLsn,
  }: {
    timing: StatusTiming;
    write: (frame: Buffer) => void;
    receivedLsn?: Lsn;
  }) {
    this.#timing = timing;
    this.#write = write;
    this.#receivedLsn = receivedLsn;
  }

  /** Sends the first update, and from now on sees to it that the next comes in time. */
  start(): void {
    this.#isRunning = true;
    this.#sendIfDue();
  }

  /** A position that the server has sent; lower ones (a relation message carries 0/0) change nothing. */
  received(lsn: Lsn): void {
    this.#receivedLsn = maxLsn(this.#receivedLsn, lsn);
  }

  /** The server wants to hear from us. */
  replyRequested(): void {
    this.#isReplyDue = true;
    this.#sendIfDue();
  }

  report(progress: SourceProgress): void {
    this.#progress = progress;
    this.#sendIfDue();
  }

  /** Asks the server for an answer, at once. Gives the monotonic time of the question. */
  ask(): number {
    this.#write(this.frame(true));
    this.#sendIfDue();
    return this.#sentMs;
  }

  /** The update that says how things stand now, taken as sent. */
  frame(replyRequested = false): Buffer {
    const status = statusToSend(this.#state(), replyRequested);
    this.#sentFlushLsn = maxLsn(this.#sentFlushLsn, status.flush);
    this.#sentMs = performance.now();
    this.#isReplyDue = false;
    return encodeStandbyStatus(status, Date.now());
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  #sendIfDue(): void {
    // What is said before the start waits for it: a frame that nobody can write must not count as sent.
    if (!this.#isRunning) return;
    const nowMs = performance.now();
    if (statusDueInMs(this.#state(), nowMs, this.#timing) <= 0) this.#write(this.frame());
    const dueInMs = statusDueInMs(this.#state(), nowMs, this.#timing);
    if (nowMs + dueInMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = nowMs + dueInMs;
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Infinity;
      this.#sendIfDue();
    }, Math.ceil(dueInMs));
  }

  #state(): StatusState {
    return {
      receivedLsn: this.#receivedLsn,
      progress: this.#progress,
      sentFlushLsn: this.#sentFlushLsn,
      sentMs: this.#sentMs,
      isReplyDue: this.#isReplyDue,
    };
  }
}
