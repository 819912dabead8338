import type { EventType } from '@outbound/schemas';
import { AckTracker, type TrackedTransaction } from './ack/ack-tracker.ts';
import { RelayError, toRelayError } from './errors.ts';
import { LaneSender } from './kafka/lane-sender.ts';
import { refusedEvent } from './kafka/refused-event.ts';
import { findingText, type RefutedTail, type RefutedTails } from './kafka/tail.ts';
import { TailGate } from './kafka/tail-gate.ts';
import type { PublisherSession } from './kafka/publisher.ts';
import { toRecords } from './kafka/to-records.ts';
import { OutboxDecoder } from './outbox/decode-outbox-event.ts';
import type { OutboxEvent } from './outbox/outbox-event.ts';
import type { SessionGauges } from './relay-observer.ts';
import { sendDelayMs } from './recovery-delay.ts';
import type { RelayParts } from './relay-parts.ts';
import type { ChangeListener, ChangeStream } from './wal/change-source.ts';
import { lsnToText, noLsn, type Lsn } from './wal/lsn.ts';
import {
  sourceFingerprint,
  type SourceIdentity,
  type SourcePosition,
} from './wal/source-position.ts';
import { TransactionAssembler } from './wal/transaction-assembler.ts';

interface PipelineHooks {
  /** What earlier sessions of this process know of the partitions' last records. */
  readonly refuted: RefutedTails;
  readonly prove: () => Promise<void>;
  /** A send failed, and is tried again after another proof. */
  readonly onSendFailed: () => void;
  readonly onEnd: (reason: RelayError) => void;
}

/**
 * The one direction of DESIGN.md, wired: bytes → message → committed transaction → event → records → lanes → Kafka's answer →
 * acknowledged position → slot. Holds no decision of its own but when to pause reading (I9).
 */
export class Pipeline implements ChangeListener {
  readonly #parts: RelayParts;
  readonly #hooks: PipelineHooks;
  readonly #tracker = new AckTracker();
  readonly #assembler: TransactionAssembler;
  readonly #decoder = new OutboxDecoder();
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

  constructor(parts: RelayParts, hooks: PipelineHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
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
      onRefused: (record, transaction, reason) => {
        this.#decodable(record.position, () => {
          throw refusedEvent(record, reason);
        });
        this.#tracker.delivered(transaction);
        this.#progressed();
      },
      onSendFailed: (error, attempt) => {
        hooks.onSendFailed();
        parts.observer.sendFailed(error, attempt);
      },
      onFailed: (error) => this.#end(error),
    });
    this.#gate = new TailGate({
      refuted: hooks.refuted,
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
    this.#assembler = new TransactionAssembler(
      {
        begin: ({ commitLsn }) => {
          this.#gate.passed(commitLsn);
          this.#transaction = this.#tracker.begin();
        },
        relation: (relation) => this.#decoder.useRelation(relation),
        insert: (tuple, position, commitTimeMs) => {
          const event = this.#decodable(position, () =>
            this.#decoder.decode(tuple, position, commitTimeMs),
          );
          if (event) this.#publish(event);
        },
        commit: (endLsn) => {
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
    try {
      this.#assembler.read(bytes);
    } catch (thrown) {
      this.#end(toRelayError(thrown));
    }
  }

  keepalive(walEnd: Lsn): void {
    if (this.#isClosed) return;
    this.#gate.passed(walEnd);
    this.#tracker.keepalive(walEnd);
    this.#progressed();
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
    this.#gate.open(session.tails, { startLsn, flushedLsn }, (admits) => this.#sender.sift(admits));
    this.#sender.start(session);
    this.#progressed();
  }

  gauges(): SessionGauges {
    return {
      ackLsn: this.#tracker.ackLsn,
      inFlightBytes: this.#sender.bytes,
      isPaused: this.#isPaused,
      laneDepths: this.#sender.depths(),
      undecidedTails: this.#gate.undecided,
      withheldRecords: this.#gate.withheld,
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

  /** The value, or undefined if the event can't be published and the operator has listed it. */
  #decodable<T>(position: SourcePosition, decode: () => T): T | undefined {
    try {
      return decode();
    } catch (thrown) {
      if (
        !(thrown instanceof RelayError) ||
        thrown.eid === undefined ||
        !this.#parts.settings.skipEvents.has(thrown.eid)
      )
        throw thrown;
      this.#gate.leftOut(position, thrown.eid);
      this.#parts.observer.eventSkipped(thrown.eid, thrown);
      return undefined;
    }
  }

  #publish(event: OutboxEvent): void {
    const transaction = this.#transaction;
    if (!transaction)
      throw new RelayError('INVARIANT_BROKEN', `event ${event.eid} came outside of a transaction`, {
        eid: event.eid,
      });
    const records = this.#decodable(event.position, () =>
      toRecords(
        event,
        this.#eventType(event),
        this.#fingerprint,
        this.#parts.settings.valuePrefixes,
      ),
    );
    for (const record of records ?? []) {
      transaction.undelivered += 1;
      if (this.#gate.admits(record, transaction)) this.#sender.enqueue(record, transaction);
    }
    this.#progressed();
  }

  #eventType(event: OutboxEvent): EventType {
    const eventType = this.#parts.eventTypes.get(event.type);
    if (eventType) return eventType;
    throw new RelayError(
      'EVENT_TYPE_UNKNOWN',
      `outbox event ${event.eid} is of type "${event.type}", which this relay does not know`,
      { eid: event.eid },
    );
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

  /** Pauses at the byte bound and goes on at three quarters of it, so that the socket does not flutter. */
  #steer(): void {
    if (this.#isDraining || this.#isClosed) return;
    const { maxInFlightBytes } = this.#parts.settings;
    const { bytes } = this.#sender;
    if (!this.#isPaused && bytes >= maxInFlightBytes) {
      this.#isPaused = true;
      this.#stream?.pause();
    } else if (this.#isPaused && bytes < maxInFlightBytes * 0.75) {
      this.#isPaused = false;
      this.#stream?.resume();
    }
  }

  #end(reason: RelayError): void {
    if (this.#isClosed) return;
    // Nothing may be read past an event that could not be taken; what came before it still goes out.
    this.#isClosed = true;
    this.#stream?.pause();
    this.#hooks.onEnd(reason);
  }
}

function wentBack(refuted: readonly RefutedTail[]): RelayError {
  const [first] = refuted;
  const what = first
    ? `${first.lane} ends with event ${first.tail.eid} at ${lsnToText(first.tail.position.commitLsn)}, where the log ${findingText(first.found)}`
    : 'nothing is known of them';
  return new RelayError(
    'SOURCE_WENT_BACK',
    `the last records of ${refuted.length} partitions are not in the log, so what was taken for published is read again: ${what}`,
  );
}
