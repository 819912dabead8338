import { aloneInBatchBytes } from '@outbound/kafka';
import { letterMarkOf, type EventType } from '@outbound/contract';
import { RelayError } from './errors.ts';
import type { OutboundRecord } from './kafka/outbound-record.ts';
import type { Refusal } from './kafka/publisher.ts';
import { refusedEvent } from './kafka/refused-event.ts';
import type { TailGate } from './kafka/tail-gate.ts';
import { toRecords } from './kafka/to-records.ts';
import type { KnownOfSource } from './known-of-source.ts';
import { OutboxDecoder } from './outbox/decode-outbox-event.ts';
import type { OutboxEvent } from './outbox/outbox-event.ts';
import { rawEvent, type RawEvent } from './outbox/raw-event.ts';
import { ParkedKeys } from './poison/parked-keys.ts';
import { markOf, PoisonDesk } from './poison/poison-desk.ts';
import type { RelayParts } from './relay-parts.ts';
import type { Lsn } from './wal/lsn.ts';
import type { RelationMessage } from './wal/pgoutput.ts';
import type { SourcePosition } from './wal/source-position.ts';
import type { Tuple } from './wal/tuple.ts';

/** What has to be in Kafka before a row of the outbox is acknowledged. */
export interface Intake {
  readonly records: readonly OutboundRecord[];
  /** One of them; nothing that stands behind the row may be sent before it is confirmed (`Judgement.first`). */
  readonly first?: OutboundRecord | undefined;
}

const nothing: Intake = { records: [] };

/**
 * Row → event → records: the stages decode, judge and map, wired. What becomes of an event that cannot be published
 * is decided by `decide`.
 */
export class EventIntake {
  readonly #parts: RelayParts;
  readonly #known: KnownOfSource;
  readonly #gate: TailGate;
  readonly #decoder = new OutboxDecoder();
  #parked = new ParkedKeys();
  #fingerprint = '';
  #desk: PoisonDesk | undefined;

  constructor(parts: RelayParts, known: KnownOfSource, gate: TailGate) {
    this.#parts = parts;
    this.#known = known;
    this.#gate = gate;
  }

  get parked(): ParkedKeys {
    return this.#parked;
  }

  /** **Order**: before the first row. */
  start(fingerprint: string, parked = new ParkedKeys()): void {
    this.#fingerprint = fingerprint;
    this.#parked = parked;
    const { deadLetters: topics } = this.#parts.settings;
    if (topics)
      this.#desk = new PoisonDesk({
        topics,
        parked,
        fingerprint,
        wallMs: () => this.#parts.clock.wallMs(),
      });
  }

  /** @throws RelayError SOURCE_OUTBOX_MISSING */
  useRelation(relation: RelationMessage): void {
    this.#decoder.useRelation(relation);
  }

  /** As `PoisonDesk.passed`. */
  passed(lsn: Lsn): readonly OutboundRecord[] {
    return this.#desk?.passed(lsn) ?? [];
  }

  /** As `PoisonDesk.beyond`. */
  beyond(lsn: Lsn): readonly OutboundRecord[] {
    return this.#desk?.beyond(lsn) ?? [];
  }

  /**
   * @throws RelayError EVENT_* for an event that cannot be published, where it stops the relay: poison is not parked
   * here, or nobody knows its key.
   */
  take(tuple: Tuple, position: SourcePosition, commitTimeMs: number): Intake {
    let event: OutboxEvent;
    try {
      event = this.#decoder.decode(tuple, position, commitTimeMs);
    } catch (thrown) {
      const poison = poisonOf(thrown);
      const raw = this.#desk && this.#decoder.salvage(tuple, position, commitTimeMs);
      return raw ? this.#judged(raw, poison, []) : this.#unparked(poison, position);
    }
    let poison = this.#known.refusalOf(event.eid, position);
    let records: readonly OutboundRecord[] = [];
    try {
      if (!poison) {
        records = this.#recordsOf(event);
        poison = this.#tooLarge(event, records);
      }
    } catch (thrown) {
      poison = poisonOf(thrown);
    }
    if (!this.#desk) return poison ? this.#unparked(poison, position) : { records };
    if (!poison && this.#desk.isPlain(event)) return { records };
    return this.#judged(rawEvent(event), poison, records);
  }

  /**
   * A broker refuses a record by itself. `park`: the next session does, at the event's place in the log, and this one
   * has to end.
   */
  refused(
    record: OutboundRecord,
    { refusal, isForSize = false }: Refusal,
  ): { readonly error: RelayError; readonly then: 'leave-out' | 'park' | 'stop' } {
    const error = refusedEvent(record, refusal);
    const { eid } = error;
    const { skipEvents, deadLetters, onPoison } = this.#parts.settings;
    if (eid !== undefined && skipEvents.has(eid)) {
      this.#unparked(error, record.position);
      return { error, then: 'leave-out' };
    }
    const isLetter =
      record.topic === deadLetters?.deadLetters.topic ||
      record.topic === deadLetters?.parkedKeys.topic;
    if (!deadLetters || onPoison === 'stop' || eid === undefined || isLetter)
      return { error, then: 'stop' };
    this.#known.refuse(eid, record.position, error);
    if (isForSize) this.#known.sizes.refuse(record.topic, aloneInBatchBytes(record));
    return { error, then: 'park' };
  }

  #judged(event: RawEvent, poison: RelayError | undefined, own: readonly OutboundRecord[]): Intake {
    const { observer, settings } = this.#parts;
    const isListed = settings.skipEvents.has(event.eid);
    const mayPark = settings.onPoison !== 'stop';
    const how = { poison, isListed, mayPark };
    const judgement = this.#desk?.judge(event, markOf(event.headers), how);
    if (!judgement) return { records: own };
    if (judgement.way === 'publish') return { records: [...judgement.records, ...own] };
    const { way, records, why, first } = judgement;
    if (way === 'redrive') {
      observer.letterTaken(event, way, '');
      return { records: [...records, ...own] };
    }
    // An event that goes another way proves a tail as well as one that is published.
    this.#gate.leftOut(event.position, event.eid);
    if (way === 'park') observer.eventParked(event, poison);
    else if (way === 'leave-out' && isListed && poison) observer.eventSkipped(event.eid, poison);
    else observer.letterTaken(event, way, why ?? '');
    return { records, first };
  }

  #unparked(poison: RelayError, position: SourcePosition): Intake {
    const { eid } = poison;
    if (eid === undefined || !this.#parts.settings.skipEvents.has(eid)) throw poison;
    this.#gate.leftOut(position, eid);
    this.#parts.observer.eventSkipped(eid, poison);
    return nothing;
  }

  #recordsOf(event: OutboxEvent): readonly OutboundRecord[] {
    const { valuePrefixes } = this.#parts.settings;
    return toRecords(event, this.#eventType(event), this.#fingerprint, valuePrefixes);
  }

  /**
   * What a topic has refused by its size it refuses of every larger record, so a backlog of them is not found one by
   * one. A letter that comes again is tried anew. So is what may be in its partition already, since it is not sent.
   */
  #tooLarge(event: OutboxEvent, records: readonly OutboundRecord[]): RelayError | undefined {
    const { sizes } = this.#known;
    if (sizes.isEmpty || letterMarkOf(event.headers)) return undefined;
    for (const record of records) {
      const refusedBytes = sizes.from(record.topic, record.position);
      if (refusedBytes === undefined || aloneInBatchBytes(record) < refusedBytes) continue;
      if (!this.#gate.isBehindTail(record))
        return refusedEvent(record, `it has refused ${refusedBytes} bytes as too large`);
    }
    return undefined;
  }

  #eventType({ eid, type }: OutboxEvent): EventType {
    const eventType = this.#parts.eventTypes.get(type);
    if (eventType) return eventType;
    throw new RelayError(
      'EVENT_TYPE_UNKNOWN',
      `outbox event ${eid} is of type "${type}", which this relay does not know`,
      { eid },
    );
  }
}

/** The error if an event is to blame for it, and not the relay. @throws what it is else. */
function poisonOf(thrown: unknown): RelayError {
  if (thrown instanceof RelayError && thrown.code.startsWith('EVENT_')) return thrown;
  throw thrown;
}
