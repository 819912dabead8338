import { letterMarkOf, type DeadLetterTopics, type LetterMark } from '@outbound/contract';
import type { RelayError } from '../errors.ts';
import type { OutboundRecord } from '../kafka/outbound-record.ts';
import type { Lsn } from '../wal/lsn.ts';
import { sourcePositionToText } from '../wal/source-position.ts';
import { decide, type Decision } from './decide.ts';
import type { ParkedKeys, VoidDecision } from './parked-keys.ts';
import { deadLetter, parkedEntryRecord } from './poison-records.ts';
import type { OutboxEvent } from '../outbox/outbox-event.ts';
import type { RawEvent } from '../outbox/raw-event.ts';

/** What becomes of an event. */
export interface Judgement {
  readonly way: Exclude<Decision['way'], 'stop'>;
  /** What has to be in Kafka before the event is acknowledged; the event's own records are not among them. */
  readonly records: readonly OutboundRecord[];
  /** Why it is left out. */
  readonly why?: string;
  /**
   * Set if the decision came of what this relay knows, and not of the log alone: nothing that stands behind the event
   * may be sent before this record is confirmed. Else a relay that knows more, started after a crash, would publish
   * the event, and its partition would seem to have it already.
   */
  readonly first?: OutboundRecord;
}

/** Decides about each event of a session, in the order of the log, and makes the records that say so. */
export class PoisonDesk {
  readonly #topics: DeadLetterTopics;
  readonly #parked: ParkedKeys;
  readonly #fingerprint: string;
  readonly #wallMs: () => number;

  constructor(options: {
    readonly topics: DeadLetterTopics;
    readonly parked: ParkedKeys;
    readonly fingerprint: string;
    readonly wallMs: () => number;
  }) {
    this.#topics = options.topics;
    this.#parked = options.parked;
    this.#fingerprint = options.fingerprint;
    this.#wallMs = options.wallMs;
  }

  get parked(): ParkedKeys {
    return this.#parked;
  }

  /**
   * True for an event that goes to its topics if it can be published, which is every event but a few: asked first,
   * since it costs next to nothing.
   */
  isPlain(event: OutboxEvent): boolean {
    return (
      letterMarkOf(event.headers) === undefined &&
      this.#parked.isFree(event.aggregateType, event.aggregateId)
    );
  }

  /**
   * `poison`: why the event cannot be published, if so. **Order**: called for every event that is not plain or not
   * fit, as they come.
   * @throws RelayError the poison, where it stops the relay.
   */
  judge(
    event: RawEvent,
    mark: LetterMark | undefined,
    how: {
      readonly poison: RelayError | undefined;
      readonly isListed: boolean;
      readonly mayPark: boolean;
    },
  ): Judgement {
    const { poison } = how;
    const { aggregateType, aggregateId, position, eid } = event;
    const place = sourcePositionToText(position, this.#fingerprint);
    const standing = this.#parked.standing(aggregateType, aggregateId, position, eid);
    const nowMs = this.#wallMs();
    const before = standing.refuted ? [this.#voidRecord(standing.refuted, nowMs)] : [];
    const decision = decide(
      { ...event, place, mark, ...how },
      standing,
      new Date(nowMs).toISOString(),
    );
    if (decision.way === 'stop') throw decision.poison;
    if (decision.way === 'publish') return { way: 'publish', records: before };
    const { way } = decision;
    const why = way === 'leave-out' ? { why: decision.why } : {};
    if (!decision.entry) return { way, ...why, records: before };
    const entry = this.#parked.apply(decision.entry, standing.recorded);
    const journal = parkedEntryRecord(event, place, entry, nowMs, this.#topics);
    if (way === 'leave-out') return { way, ...why, records: [...before, journal], first: journal };
    if (way !== 'park' || !entry.after) return { way, records: [...before, journal] };
    const isFirst = entry.after.count === 1;
    const letter = deadLetter(
      event,
      place,
      entry.after,
      {
        reason: isFirst || poison ? 'failed' : 'parked',
        code: poison?.code ?? (isFirst ? entry.after.code : 'KEY_PARKED'),
        message:
          poison?.message ??
          `its key is parked since event ${entry.after.firstEid} could not be published, so it waits behind that one`,
        nowMs,
      },
      this.#topics,
    );
    return { way, records: [...before, letter, journal], ...(isFirst ? { first: journal } : {}) };
  }

  /**
   * Everything that commits before `lsn` has been judged: what the journal has to say of decisions about events that the
   * log turned out not to have. **Order**: before anything is acknowledged that is not before `lsn`.
   */
  passed(lsn: Lsn): readonly OutboundRecord[] {
    return this.#voidRecords(this.#parked.passed(lsn));
  }

  /** The same for what is beyond the end of the log. **Order**: before the first event. */
  beyond(lsn: Lsn): readonly OutboundRecord[] {
    return this.#voidRecords(this.#parked.beyond(lsn));
  }

  #voidRecords(found: readonly VoidDecision[]): readonly OutboundRecord[] {
    return found.map((refuted) => this.#voidRecord(refuted, this.#wallMs()));
  }

  #voidRecord({ position, entry }: VoidDecision, nowMs: number): OutboundRecord {
    const place = sourcePositionToText(position, this.#fingerprint);
    return parkedEntryRecord({ eid: '', position }, place, entry, nowMs, this.#topics);
  }
}

/** The mark of a row, if its headers can be read. */
export function markOf(headers: string): LetterMark | undefined {
  if (!headers.includes('outbound_')) return undefined;
  try {
    const value: unknown = JSON.parse(headers);
    return typeof value === 'object' && value !== null
      ? letterMarkOf(value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
