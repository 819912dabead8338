import { AckTracker, type TrackedTransaction } from './ack/ack-tracker.ts';
import { RelayError, toRelayError } from './errors.ts';
import { EventIntake } from './event-intake.ts';
import { LaneSender } from './kafka/lane-sender.ts';
import type { OutboundRecord } from './kafka/outbound-record.ts';
import type { PublisherSession, Refusal } from './kafka/publisher.ts';
import { TailGate } from './kafka/tail-gate.ts';
import { wentBack } from './kafka/went-back.ts';
import type { KnownOfSource } from './known-of-source.ts';
import { HeldMessages, type Held } from './poison/held-messages.ts';
import { sendDelayMs } from './recovery-delay.ts';
import type { SessionGauges } from './relay-observer.ts';
import type { RelayParts } from './relay-parts.ts';
import type { ChangeListener, ChangeStream } from './wal/change-source.ts';
import { noLsn, type Lsn } from './wal/lsn.ts';
import {
  sourceFingerprint,
  type SourceIdentity,
  type SourcePosition,
} from './wal/source-position.ts';
import { TransactionAssembler } from './wal/transaction-assembler.ts';
import type { Tuple } from './wal/tuple.ts';

interface PipelineHooks {
  /** What earlier sessions of this process have found out; added to. */
  readonly known: KnownOfSource;
  readonly prove: () => Promise<void>;
  /** A send failed, and is tried again after another proof. */
  readonly onSendFailed: () => void;
  /** `renew`: the next session is to follow at once. */
  readonly onEnd: (reason: RelayError | 'renew') => void;
}

/**
 * The one direction of DESIGN.md, wired: bytes → message → committed transaction → event → records → lanes → Kafka's answer →
 * acknowledged position → slot. Holds no decision of its own but when to pause reading (I9), and that nothing may be read before it is known which keys are parked.
 */
export class Pipeline implements ChangeListener {
  readonly #parts: RelayParts;
  readonly #hooks: PipelineHooks;
  readonly #tracker = new AckTracker();
  readonly #assembler: TransactionAssembler;
  readonly #intake: EventIntake;
  readonly #sender: LaneSender;
  readonly #gate: TailGate;
  #stream: ChangeStream | undefined;
  #fingerprint = '';
  #transaction: TrackedTransaction | undefined;
  #isPaused = false;
  #isDraining = false;
  #isClosed = false;
  #reportedLsn: Lsn = noLsn;
  #reportedIdle = false;
  readonly #held = new HeldMessages();
  #isStarted = false;
  #isReadingHeld = false;
  /** What is sent here does not wait for decisions to be confirmed: it says them, and has no tails. */
  readonly #untailed: ReadonlySet<string>;

  constructor(parts: RelayParts, hooks: PipelineHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    const { deadLetters } = parts.settings;
    this.#untailed = new Set(
      deadLetters ? [deadLetters.deadLetters.topic, deadLetters.parkedKeys.topic] : [],
    );
    this.#sender = new LaneSender({
      clock: parts.clock,
      limits: parts.settings.limits,
      backoffMs: (attempt) => sendDelayMs(attempt, parts.random),
      prove: hooks.prove,
      onDelivered: (batch) => {
        parts.failPoint('after-publish-before-track');
        for (const transaction of batch.transactions) this.#tracker.delivered(transaction);
        parts.observer.batchDelivered(batch);
        this.#progressed();
      },
      onRefused: (record, transaction, refusal) => this.#refused(record, transaction, refusal),
      onSendFailed: (error, attempt, lanes) => {
        hooks.onSendFailed();
        parts.observer.sendFailed(error, attempt, lanes);
      },
      onFailed: (error) => this.#end(error),
    });
    this.#gate = new TailGate({
      refuted: hooks.known.refuted,
      // Told on by whoever asked the gate: in the midst of sifting, nothing must be read.
      onDelivered: (transaction) => this.#tracker.delivered(transaction),
      onWithheld: (record) => parts.observer.recordWithheld(record),
      onAhead: (ahead) => parts.observer.tailsAhead(ahead),
      onMet: (lane, records) => {
        if (records > 0) parts.observer.tailMet(lane, records);
      },
      onRefuted: (refuted) => parts.observer.tailsRefuted(refuted),
      onMustReadAgain: (refuted) => this.#end(wentBack(refuted)),
    });
    this.#intake = new EventIntake(parts, hooks.known, this.#gate);
    this.#assembler = new TransactionAssembler(
      {
        begin: ({ commitLsn }) => {
          this.#gate.passed(commitLsn);
          this.#transaction = this.#tracker.begin();
        },
        relation: (relation) => this.#intake.useRelation(relation),
        insert: (tuple, position, commitTimeMs) => {
          this.#insert(tuple, position, commitTimeMs);
        },
        commit: (endLsn) => {
          this.#enqueue(this.#intake.passed(endLsn));
          if (this.#transaction) this.#tracker.commit(this.#transaction, endLsn);
          this.#transaction = undefined;
          this.#gate.passed(endLsn);
          this.#progressed();
        },
      },
      parts.settings.outbox,
    );
  }

  opened(identity: SourceIdentity): void {
    this.#fingerprint = sourceFingerprint(identity);
  }

  message(bytes: Buffer): void {
    if (this.#isClosed) return;
    if (this.#mustHold) this.#hold(bytes);
    else this.#read(bytes);
  }

  keepalive(walEnd: Lsn): void {
    if (this.#isClosed) return;
    if (this.#mustHold) this.#hold({ walEnd });
    else this.#read({ walEnd });
  }

  get #mustHold(): boolean {
    return !this.#isStarted || this.#held.length > 0;
  }

  #hold(held: Held): void {
    this.#held.push(held);
    this.#steer();
  }

  #read(held: Held): void {
    try {
      if (Buffer.isBuffer(held)) this.#assembler.read(held);
      else {
        this.#gate.passed(held.walEnd);
        this.#keepalive(held.walEnd);
        this.#progressed();
      }
    } catch (thrown) {
      this.#end(toRelayError(thrown));
    }
  }

  #keepalive(walEnd: Lsn): void {
    if (this.#transaction) return this.#tracker.keepalive(walEnd);
    const records = this.#intake.passed(walEnd);
    if (records.length === 0) this.#tracker.keepalive(walEnd);
    else this.#enqueueUpTo(records, walEnd);
  }

  /** As a transaction that ends there: the slot waits before it until they are confirmed. */
  #enqueueUpTo(records: readonly OutboundRecord[], endLsn: Lsn): void {
    this.#transaction = this.#tracker.begin();
    this.#enqueue(records);
    this.#tracker.commit(this.#transaction, endLsn);
    this.#transaction = undefined;
  }

  #readHeld(): void {
    // What comes meanwhile, since reading makes room, waits behind what is held: the last of it is let go when it was read.
    if (this.#isReadingHeld) return;
    this.#isReadingHeld = true;
    while (this.#isStarted && !this.#isClosed) {
      const held = this.#held.first;
      if (held === undefined) break;
      this.#read(held);
      this.#held.shift();
    }
    this.#isReadingHeld = false;
    this.#steer();
  }

  closed(reason: RelayError): void {
    this.#end(reason);
  }

  /** The open stream, whose first messages may have come before it. */
  attach(stream: ChangeStream): void {
    this.#stream = stream;
    // The bound may have been reached by what came before there was a stream to pause.
    if (this.#isPaused) stream.pause();
    this.#steer();
  }

  /** Begins to publish. `flushedLsn` is how far the log was written after the tails had been read. */
  start(session: PublisherSession, flushedLsn: Lsn): void {
    const startLsn = this.#stream?.startLsn ?? noLsn;
    this.#hooks.known.confirmedUpTo(startLsn);
    this.#hooks.known.sizes.writtenUpTo(flushedLsn);
    this.#intake.start(this.#fingerprint, session.parked);
    this.#gate.open(session.tails, { startLsn, flushedLsn }, (admits) => this.#sender.sift(admits));
    this.#sender.start(session);
    const beyond = this.#intake.beyond(flushedLsn);
    if (beyond.length > 0) this.#enqueueUpTo(beyond, startLsn);
    this.#isStarted = true;
    this.#readHeld();
    this.#progressed();
  }

  gauges(): SessionGauges {
    return {
      ackLsn: this.#tracker.ackLsn,
      inFlightBytes: this.#bytes,
      isPaused: this.#isPaused,
      laneDepths: this.#sender.depths(),
      undecidedTails: this.#gate.undecided,
      withheldRecords: this.#gate.withheld,
      parkedKeys: this.#intake.parked.byCode(),
      listParked: () => this.#intake.parked.list(),
    };
  }

  /** Reads no further, and waits until Kafka has what was read, `ms` at the most. */
  async drain(ms: number): Promise<void> {
    this.#isDraining = true;
    this.#stream?.pause();
    const waited = new AbortController();
    await Promise.race([this.#sender.drained(), this.#parts.clock.sleep(ms, waited.signal)]);
    waited.abort();
  }

  /** Takes nothing in and sends nothing more. What was confirmed has been reported. */
  stop(): void {
    this.#isClosed = true;
    this.#sender.stop();
  }

  async settled(): Promise<void> {
    await this.#sender.settled();
  }

  #insert(tuple: Tuple, position: SourcePosition, commitTimeMs: number): void {
    const { records, first } = this.#intake.take(tuple, position, commitTimeMs);
    this.#enqueue(records);
    if (first) this.#sender.raiseBarrier(first);
  }

  #refused(
    record: OutboundRecord,
    transaction: TrackedTransaction,
    refusal: Refusal,
  ): RelayError | undefined {
    const { error, then } = this.#intake.refused(record, refusal);
    if (then === 'leave-out') {
      this.#tracker.delivered(transaction);
      this.#progressed();
      return undefined;
    }
    if (then === 'park') this.#end('renew');
    return error;
  }

  #enqueue(records: readonly OutboundRecord[]): void {
    const transaction = this.#transaction;
    if (!transaction)
      throw new RelayError('INVARIANT_BROKEN', 'an outbox row came outside of a transaction');
    for (const record of records) {
      transaction.undelivered += 1;
      if (this.#gate.admits(record, transaction))
        this.#sender.enqueue(record, transaction, !this.#untailed.has(record.topic));
    }
    this.#progressed();
  }

  /** Something was confirmed or committed: tells the source how far the slot may follow, and reads on if there is room. */
  #progressed(): void {
    const { ackLsn, isIdle } = this.#tracker;
    if (ackLsn !== this.#reportedLsn || isIdle !== this.#reportedIdle) {
      this.#parts.failPoint('after-track-before-report');
      this.#stream?.report({ ackLsn, idle: isIdle });
      if (this.#stream) {
        this.#reportedLsn = ackLsn;
        this.#reportedIdle = isIdle;
      }
    }
    this.#steer();
  }

  /** What was read from the source and is not confirmed. */
  get #bytes(): number {
    return this.#sender.bytes + this.#held.bytes;
  }

  /** Pauses at the byte bound and goes on at three quarters of it, so that the socket does not flutter. */
  #steer(): void {
    if (this.#isDraining || this.#isClosed) return;
    const { maxInFlightBytes } = this.#parts.settings;
    const bytes = this.#bytes;
    if (!this.#isPaused && bytes >= maxInFlightBytes) {
      this.#isPaused = true;
      this.#stream?.pause();
    } else if (this.#isPaused && bytes < maxInFlightBytes * 0.75) {
      this.#isPaused = false;
      this.#stream?.resume();
    }
  }

  #end(reason: RelayError | 'renew'): void {
    if (this.#isClosed) return;
    // Nothing may be read past an event that could not be taken; what came before it still goes out.
    this.#isClosed = true;
    this.#stream?.pause();
    this.#hooks.onEnd(reason);
  }
}
