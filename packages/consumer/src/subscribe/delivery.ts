import { keyText, type KafkaRecord } from '@outbound/kafka';
import type { EventType } from '@outbound/contract';
import type { KafkaLog } from '@outbound/service-kit';
import type { ConsumedEvent } from '../events/consumed-event.ts';
import { parseRecord, type ParsedRecord } from '../events/parse-record.ts';
import { recordEid } from '../events/place-id.ts';
import type { Attempts, Failure, Invoke, Outcome } from './attempts.ts';
import type { Life } from './life.ts';
import type { PoisonDesk } from './poison-desk.ts';
import type { TopicHandling } from './topic-handling.ts';
import type { VersionGap } from './version-gaps.ts';

/** Whether what was delivered is finished; false: it was given up because its life ends, and comes again. */
export type Delivered = true | Promise<boolean>;

/** Since the start. */
export interface DeliveryCounts {
  handled: number;
  ignored: number;
  versionGaps: number;
}

/** Events that go to the handler together, and which of the delivered records they were. */
interface Part {
  readonly events: ConsumedEvent[];
  readonly at: number[];
}

/** Further ones are counted only: a loss is seldom alone. */
const maxLoggedGaps = 100;

/**
 * Takes the records of one topic from Kafka's form to the handler, with repetitions, and to the dead-letter topic where that is of no use.
 * What needs no waiting is done at once, without a promise. Throws and rejects with what has to end the subscription: HANDLER_FAILED and
 * the event's own errors by policy, DEAD_LETTER_FAILED, and whatever `onVersionGap` throws.
 */
export class Delivery {
  readonly #handling: TopicHandling;
  readonly #attempts: Attempts;
  readonly #desk: PoisonDesk;
  readonly #onVersionGap: ((gap: VersionGap) => void) | undefined;
  readonly #counts: DeliveryCounts;
  readonly #log: KafkaLog;
  readonly #invoke: Invoke;

  constructor(options: {
    readonly handling: TopicHandling;
    readonly attempts: Attempts;
    readonly desk: PoisonDesk;
    readonly onVersionGap: ((gap: VersionGap) => void) | undefined;
    readonly counts: DeliveryCounts;
    readonly log: KafkaLog;
  }) {
    this.#handling = options.handling;
    this.#attempts = options.attempts;
    this.#desk = options.desk;
    this.#onVersionGap = options.onVersionGap;
    this.#counts = options.counts;
    this.#log = options.log;
    const { handle, handleBatch } = options.handling;
    this.#invoke =
      handleBatch ?? (([event], context) => (event && handle ? handle(event, context) : undefined));
  }

  /** Delivers one record. */
  one(record: KafkaRecord, life: Life): Delivered {
    const { handle } = this.#handling;
    const parsed = this.#parse(record);
    if (parsed.is === 'ignored') {
      this.#counts.ignored += 1;
      passedBy(parsed, record, life);
      return true;
    }
    if (!handle || parsed.is === 'invalid' || this.#desk.mayBeParked(record))
      return this.#inParts([record], life, () => undefined);
    this.#look(parsed.event, life);
    let result: Promise<void> | void;
    try {
      result = handle(parsed.event, life.firstAttempt);
    } catch (error) {
      return this.#failed([record], { events: [parsed.event], at: [0] }, error, life);
    }
    if (!isPromise(result)) {
      this.#counts.handled += 1;
      return true;
    }
    return this.#settle([record], { events: [parsed.event], at: [0] }, result, life);
  }

  /**
   * Delivers records of one partition, in order, as one batch, and calls `finish` with the index of each that is finished before the rest
   * is; with `true` in the end all are.
   */
  batch(records: readonly KafkaRecord[], life: Life, finish: (index: number) => void): Delivered {
    const part: Part = { events: [], at: [] };
    for (let index = 0; index < records.length; index += 1) {
      const record = records[index];
      if (!record) continue;
      const parsed = this.#parse(record);
      if (parsed.is === 'invalid' || this.#desk.mayBeParked(record))
        return this.#inParts(records, life, finish);
      if (parsed.is === 'event') {
        part.events.push(parsed.event);
        part.at.push(index);
      } else passedBy(parsed, record, life);
    }
    this.#counts.ignored += records.length - part.events.length;
    if (part.events.length === 0) return true;
    for (const event of part.events) this.#look(event, life);
    let result: Promise<void> | void;
    try {
      result = this.#invoke(part.events, life.firstAttempt);
    } catch (error) {
      return this.#failed(records, part, error, life, finish);
    }
    if (!isPromise(result)) {
      this.#counts.handled += part.events.length;
      return true;
    }
    return this.#settle(records, part, result, life, finish);
  }

  /** Hands a dead letter, as the record it was, to the handler once. **Order**: while nothing else of its partition runs. */
  async letter(record: KafkaRecord, life: Life): Promise<Outcome> {
    const parsed = this.#parse(record);
    if (parsed.is === 'invalid') return { attempts: 1, error: parsed.error };
    if (parsed.is === 'ignored') return 'handled';
    const outcome = await this.#attempts.once([parsed.event], this.#invoke, life);
    if (outcome === 'handled') this.#counts.handled += 1;
    return outcome;
  }

  #parse(record: KafkaRecord): ParsedRecord<EventType> {
    const { eventType, unknownVersion } = this.#handling;
    return parseRecord(record, eventType, unknownVersion);
  }

  /** Proves that nothing of the event's key was missed. */
  #look(event: ConsumedEvent, life: Life): void {
    if (!this.#handling.hasEveryVersion) return;
    const expected = life.versions.missing(event);
    if (expected === undefined || event.version === undefined) return;
    const { topic, partition, offset, key, eid, version: found } = event;
    this.#counts.versionGaps += 1;
    if (this.#counts.versionGaps <= maxLoggedGaps)
      this.#log.error(
        { topic, partition, offset: String(offset), eid, expected, found },
        'versions of an entity are missing: events before this one were never given to this group',
      );
    this.#onVersionGap?.({ topic, partition, offset, key, expected, found });
  }

  async #settle(
    records: readonly KafkaRecord[],
    part: Part,
    result: Promise<void>,
    life: Life,
    finish?: (index: number) => void,
  ): Promise<boolean> {
    const call = this.#attempts.began(part.events, life);
    try {
      await result;
    } catch (error) {
      this.#attempts.ended(call);
      return this.#failed(records, part, error, life, finish);
    }
    this.#attempts.ended(call);
    this.#counts.handled += part.events.length;
    return true;
  }

  /** The first attempt failed. */
  async #failed(
    records: readonly KafkaRecord[],
    part: Part,
    error: unknown,
    life: Life,
    finish: (index: number) => void = () => undefined,
  ): Promise<boolean> {
    const outcome = await this.#attempts.again(part.events, this.#invoke, error, life);
    if (outcome === 'given-up') return false;
    if (outcome === 'handled') {
      this.#counts.handled += part.events.length;
      return true;
    }
    return this.#isolate(records, part, outcome, life, finish);
  }

  /**
   * With poison or a parked key among them: what comes before goes to the handler first, in its order. Otherwise a record that cannot be
   * read would park earlier events of its key that nobody has tried.
   */
  async #inParts(
    records: readonly KafkaRecord[],
    life: Life,
    finish: (index: number) => void,
  ): Promise<boolean> {
    let part: Part = { events: [], at: [] };
    const flush = async (): Promise<boolean> => {
      const { events, at } = part;
      if (at.length === 0) return true;
      const flushed = part;
      part = { events: [], at: [] };
      for (const event of events) this.#look(event, life);
      const outcome = await this.#attempts.first(events, this.#invoke, life);
      if (outcome === 'given-up') return false;
      if (outcome !== 'handled') return this.#isolate(records, flushed, outcome, life, finish);
      this.#counts.handled += at.length;
      for (const index of at) finish(index);
      return true;
    };
    for (const [index, record] of records.entries()) {
      const parsed = this.#parse(record);
      if (parsed.is === 'ignored') {
        this.#counts.ignored += 1;
        passedBy(parsed, record, life);
        finish(index);
      } else if (parsed.is === 'event' && !this.#desk.mayBeParked(record)) {
        part.events.push(parsed.event);
        part.at.push(index);
      } else {
        if (!(await flush()) || life.isEnding) return false;
        const eid = parsed.is === 'event' ? parsed.event.eid : recordEid(record);
        if (parsed.is === 'invalid') passedBy(parsed, record, life);
        if (await this.#desk.takeParked(record, eid)) {
          forget(record, life);
          finish(index);
        } else if (parsed.is === 'invalid') {
          await this.#desk.take(record, eid, 1, parsed.error);
          finish(index);
        } else {
          // Released meanwhile, or not behind what its key is parked for.
          part.events.push(parsed.event);
          part.at.push(index);
        }
      }
    }
    return flush();
  }

  /** The events failed together for good: finds which of them it is. */
  async #isolate(
    records: readonly KafkaRecord[],
    { events, at }: Part,
    failure: Failure,
    life: Life,
    finish: (index: number) => void,
  ): Promise<boolean> {
    for (const [place, event] of events.entries()) {
      if (life.isEnding) return false;
      const index = at[place] ?? 0;
      const record = records[index];
      if (record && !(await this.#desk.takeParked(record, event.eid))) {
        const outcome =
          events.length === 1 ? failure : await this.#attempts.first([event], this.#invoke, life);
        if (outcome === 'given-up') return false;
        if (outcome === 'handled') this.#counts.handled += 1;
        else await this.#desk.take(record, event.eid, outcome.attempts, outcome.error);
      }
      finish(index);
    }
    return true;
  }
}

function isPromise(result: Promise<void> | void): result is Promise<void> {
  return typeof (result as { then?: unknown } | undefined)?.then === 'function';
}

/** What is left out, or cannot be read, has a version that nobody has seen: that is no gap. An event of another type has none of ours. */
function passedBy(
  parsed: { readonly is: 'invalid' } | { readonly is: 'ignored'; readonly why: string },
  record: KafkaRecord,
  life: Life,
): void {
  if (parsed.is === 'invalid' || parsed.why === 'unknown-version') forget(record, life);
}

function forget({ key }: KafkaRecord, life: Life): void {
  if (key !== null) life.versions.forget(keyText(key));
}
