import type { EventType } from '@outbound/schemas';
import { AckTracker, type TrackedTransaction } from './ack/ack-tracker.ts';
import { RelayError, toRelayError } from './errors.ts';
import { LaneSender } from './kafka/lane-sender.ts';
import type { PublisherSession } from './kafka/publisher.ts';
import { toRecords } from './kafka/to-records.ts';
import { OutboxDecoder } from './outbox/decode-outbox-event.ts';
import type { OutboxEvent } from './outbox/outbox-event.ts';
import type { SessionGauges } from './relay-observer.ts';
import { sendDelayMs } from './recovery-delay.ts';
import type { RelayParts } from './relay-parts.ts';
import type { ChangeListener, ChangeStream } from './wal/change-source.ts';
import { noLsn, type Lsn } from './wal/lsn.ts';
import { sourceFingerprint, type SourceIdentity } from './wal/source-position.ts';
import { TransactionAssembler } from './wal/transaction-assembler.ts';

interface PipelineHooks {
  readonly prove: () => Promise<void>;
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
      onSkipped: (record, transaction) => {
        this.#tracker.delivered(transaction);
        parts.observer.recordSkipped(record);
        this.#progressed();
      },
      onSendFailed: (error, attempt) => parts.observer.sendFailed(error, attempt),
      onFailed: (error) => this.#end(error),
    });
    this.#assembler = new TransactionAssembler(
      {
        begin: () => {
          this.#transaction = this.#tracker.begin();
        },
        relation: (relation) => this.#decoder.useRelation(relation),
        insert: (tuple, position, commitTimeMs) => {
          const event = this.#decodable(() => this.#decoder.decode(tuple, position, commitTimeMs));
          if (event) this.#publish(event);
        },
        commit: (endLsn) => {
          if (this.#transaction) this.#tracker.commit(this.#transaction, endLsn);
          this.#transaction = undefined;
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

  start(session: PublisherSession): void {
    this.#sender.start(session);
  }

  gauges(): SessionGauges {
    return {
      ackLsn: this.#tracker.ackLsn,
      inFlightBytes: this.#sender.bytes,
      isPaused: this.#isPaused,
      laneDepths: this.#sender.depths(),
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
  #decodable<T>(decode: () => T): T | undefined {
    try {
      return decode();
    } catch (thrown) {
      if (
        !(thrown instanceof RelayError) ||
        thrown.eid === undefined ||
        !this.#parts.settings.skipEvents.has(thrown.eid)
      )
        throw thrown;
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
    const records = this.#decodable(() =>
      toRecords(
        event,
        this.#eventType(event),
        this.#fingerprint,
        this.#parts.settings.valuePrefixes,
      ),
    );
    for (const record of records ?? []) {
      transaction.undelivered += 1;
      this.#sender.enqueue(record, transaction);
    }
    this.#steer();
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
