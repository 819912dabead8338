import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaRecord } from '@outbound/kafka';
import type { EventType } from '@outbound/schemas';
import { backoffMs, type KafkaLog } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { ConsumedEvent } from '../events/consumed-event.ts';
import { parseRecord, type UnknownVersionPolicy } from '../events/parse-record.ts';
import type { HandleBatch, RetryPolicy } from './handler.ts';
import type { PoisonDesk } from './poison-desk.ts';

/** When a delivery has to end. */
export interface DeliverySignals {
  /** From now on nothing new is begun: a wait for the next attempt ends, a handler that runs may finish. */
  readonly ending: AbortSignal;
  /** What runs no longer counts. */
  readonly abandoned: AbortSignal;
}

interface Parsed<Type extends EventType> {
  readonly record: KafkaRecord;
  readonly event: ConsumedEvent<Type>;
}

/** Takes records from Kafka's form to the handler, with repetitions, and to the dead-letter topic where that is of no use. */
export class Delivery<Type extends EventType> {
  readonly #eventType: Type;
  readonly #unknownVersion: UnknownVersionPolicy;
  readonly #handle: HandleBatch<Type>;
  readonly #retry: RetryPolicy;
  readonly #handlerTimeoutMs: number;
  readonly #desk: PoisonDesk;
  readonly #log: KafkaLog;
  #ignored = 0;

  constructor(options: {
    readonly eventType: Type;
    readonly unknownVersion: UnknownVersionPolicy;
    readonly handle: HandleBatch<Type>;
    readonly retry: RetryPolicy;
    readonly handlerTimeoutMs: number;
    readonly desk: PoisonDesk;
    readonly log: KafkaLog;
  }) {
    this.#eventType = options.eventType;
    this.#unknownVersion = options.unknownVersion;
    this.#handle = options.handle;
    this.#retry = options.retry;
    this.#handlerTimeoutMs = options.handlerTimeoutMs;
    this.#desk = options.desk;
    this.#log = options.log;
  }

  /** Records that were not for this handler: of another type, or of a version that is skipped. */
  get ignored(): number {
    return this.#ignored;
  }

  /**
   * Delivers records of one partition, in order, as one batch. Calls `finish` for each that may be committed; those that were given up because of
   * `signals` it leaves out, and they come again.
   * @throws ConsumerError when the subscription has to end: HANDLER_FAILED and the event's own errors by policy, HANDLER_TIMEOUT, DEAD_LETTER_FAILED.
   */
  async deliver(
    records: readonly KafkaRecord[],
    signals: DeliverySignals,
    finish: (offset: bigint) => void,
  ): Promise<void> {
    const batch: Parsed<Type>[] = [];
    for (const record of records) {
      const parsed = parseRecord(record, this.#eventType, this.#unknownVersion);
      if (parsed.is === 'ignored') {
        this.#ignored += 1;
        finish(record.offset);
      } else if (parsed.is === 'invalid') {
        const eid = eidOf(record);
        if (!(await this.#desk.takeParked(record, eid)))
          await this.#desk.take(record, eid, 1, parsed.error);
        finish(record.offset);
      } else if (await this.#desk.takeParked(record, parsed.event.eid)) finish(record.offset);
      else batch.push({ record, event: parsed.event });
    }
    if (batch.length === 0) return;
    const outcome = await this.#attempt(batch, signals);
    if (outcome === 'handled') for (const { record } of batch) finish(record.offset);
    else if (outcome !== 'given-up') await this.#isolate(batch, outcome, signals, finish);
  }

  /** The batch failed for good: finds which event it is. */
  async #isolate(
    batch: readonly Parsed<Type>[],
    failure: Failure,
    signals: DeliverySignals,
    finish: (offset: bigint) => void,
  ): Promise<void> {
    for (const each of batch) {
      if (signals.ending.aborted) return;
      const { record, event } = each;
      if (!(await this.#desk.takeParked(record, event.eid))) {
        const outcome = batch.length === 1 ? failure : await this.#attempt([each], signals);
        if (outcome === 'given-up') return;
        if (outcome !== 'handled')
          await this.#desk.take(record, event.eid, outcome.attempts, outcome.error);
      }
      finish(record.offset);
    }
  }

  async #attempt(
    batch: readonly Parsed<Type>[],
    { ending, abandoned }: DeliverySignals,
  ): Promise<'handled' | 'given-up' | Failure> {
    const events = batch.map(({ event }) => event);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#handleInTime(events, attempt, abandoned);
        return 'handled';
      } catch (error) {
        if (error instanceof ConsumerError && error.code === 'HANDLER_TIMEOUT') throw error;
        if (ending.aborted) return 'given-up';
        if (attempt >= this.#retry.attempts || this.#retry.isRetriable?.(error) === false)
          return { attempts: attempt, error };
        const [first] = events;
        this.#log.warn(
          {
            eid: first?.eid,
            topic: first?.topic,
            partition: first?.partition,
            offset: String(first?.offset),
            attempt,
            error,
          },
          'handler failed, trying again',
        );
        const { baseMs, maxMs } = this.#retry;
        const waitMs = backoffMs({ attempt, baseMs, maxMs, random: Math.random });
        try {
          await delay(waitMs, undefined, { signal: ending });
        } catch {
          return 'given-up';
        }
      }
    }
  }

  async #handleInTime(
    events: readonly ConsumedEvent<Type>[],
    attempt: number,
    abandoned: AbortSignal,
  ): Promise<void> {
    const late = new AbortController();
    const signal = AbortSignal.any([abandoned, late.signal]);
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const [first] = events;
        reject(
          new ConsumerError(
            'HANDLER_TIMEOUT',
            `a handler has not ended within ${this.#handlerTimeoutMs} ms, at event ${first?.eid}: mend it, or declare a longer handlerTimeoutMs`,
          ),
        );
        late.abort();
      }, this.#handlerTimeoutMs);
    });
    try {
      // A handler may throw before its first await.
      await Promise.race([
        tooLate,
        Promise.resolve().then(() => this.#handle(events, { attempt, signal })),
      ]);
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Failure {
  readonly attempts: number;
  readonly error: unknown;
}

function eidOf({ headers, topic, partition, offset }: KafkaRecord): string {
  return headers['ce_id'] ?? `${topic}/${partition}/${offset}`;
}
