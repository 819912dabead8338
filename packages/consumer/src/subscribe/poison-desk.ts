import { keyText, partitionKey, type KafkaRecord, type TopicPartition } from '@outbound/kafka';
import type { Clock, KafkaLog } from '@outbound/service-kit';
import { deadLetterRecord } from '../dead-letters/dead-letter-record.ts';
import type { DeadLetterSender } from '../dead-letters/dead-letter-sender.ts';
import type { ParkedKeys, ParkOwner } from '../dead-letters/parked-keys.ts';
import { standingOf } from '../dead-letters/parked-standing.ts';
import { ConsumerError } from '../errors.ts';

/**
 * What becomes of an event that cannot be handled.
 * - `stop`: the subscription ends with HANDLER_FAILED (or the event's own error); nothing after the event is committed in its partition.
 *   Order is kept, and everything waits for a person.
 * - `dead-letter` with `park`: the event goes to the dead-letter topic, and every later event of its key goes there behind it, until the
 *   key is released. Order per key is kept; other keys flow.
 * - `dead-letter` with `continue`: only the event goes there; later events of its key are handled. For handlers that take each event as the
 *   full state, where a later one makes the missing one good.
 */
export type FailurePolicy =
  | { readonly then: 'stop' }
  | {
      readonly then: 'dead-letter';
      /** Full name; it must exist. */
      readonly topic: string;
      readonly laterEvents:
        { readonly policy: 'park'; readonly keys: ParkedKeys } | { readonly policy: 'continue' };
    };

/** Decides about poison and carries it out. One for each subscription. */
export class PoisonDesk {
  readonly #group: string;
  readonly #policy: FailurePolicy;
  readonly #sender: DeadLetterSender | undefined;
  readonly #clock: Clock;
  readonly #log: KafkaLog;
  readonly #topicId: (topic: string) => string | undefined;
  /** Parked keys by topic. Only the owner of a partition parks its keys, so what is not here is not parked, from `load` on. */
  readonly #parked = new Map<string, Set<string>>();
  /** Of the partitions that are ours. */
  readonly #owners = new Map<string, ParkOwner>();
  #failed = 0;
  #behind = 0;

  constructor(options: {
    readonly group: string;
    readonly policy: FailurePolicy;
    readonly sender: DeadLetterSender | undefined;
    readonly clock: Clock;
    readonly log: KafkaLog;
    /** The id of the topic that the records are of; undefined where it is not known. */
    readonly topicId?: (topic: string) => string | undefined;
  }) {
    this.#group = options.group;
    this.#policy = options.policy;
    this.#sender = options.sender;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#topicId = options.topicId ?? (() => undefined);
  }

  /** Dead letters sent since the start: events that could not be handled, and those that went behind them. */
  get deadLetters(): number {
    return this.#failed + this.#behind;
  }

  /** Of the dead letters those that were not tried, because an earlier one of their key waits. */
  get parked(): number {
    return this.#behind;
  }

  /**
   * Makes the partition's parked keys ours to write, and reads which there are; **order**: after each assignment,
   * before the first event of it.
   */
  async load({ topic, partition }: TopicPartition): Promise<void> {
    const keys = this.#keys();
    // Before they are read: what an earlier owner writes afterwards is refused.
    const owner = await asked(
      keys?.own?.({ group: this.#group, topic }, partition) ?? Promise.resolve(undefined),
    );
    if (owner) this.#owners.set(partitionKey({ topic, partition }), owner);
    const listed = keys && (await asked(keys.list({ group: this.#group, topic })));
    // Added to what is known, not put in its place: another partition of the topic may have parked a key meanwhile.
    if (listed) this.#parked.set(topic, new Set([...(this.#parked.get(topic) ?? []), ...listed]));
  }

  /** False for a record whose key is surely not parked. */
  mayBeParked({ topic, key }: KafkaRecord): boolean {
    const known = this.#parked.get(topic);
    return known !== undefined && known.size > 0 && key !== null && known.has(keyText(key));
  }

  /**
   * Sends the record behind the dead letter of its key, and gives true; false if it may be handled: its key is not parked, or the record is
   * not behind the event for which it is, but that event itself, or an earlier one. Whatever becomes of those, the key stays parked.
   */
  async takeParked(record: KafkaRecord, eid: string): Promise<boolean> {
    const { topic, key } = record;
    const keys = this.#keys();
    if (!keys || key === null || !this.mayBeParked(record)) return false;
    const first = await asked(keys.parkedFor({ group: this.#group, topic }, keyText(key)));
    if (!first) {
      this.#parked.get(topic)?.delete(keyText(key));
      return false;
    }
    if (standingOf(record, eid, first, this.#topicId(topic)) !== 'later') return false;
    const error = new ConsumerError(
      'HANDLER_FAILED',
      `its key is parked since event ${first.eid} could not be handled, so it waits behind that one`,
    );
    await this.#send(record, { eid, reason: 'parked', attempts: 0, error });
    return true;
  }

  /**
   * Deals with a record that cannot be handled; resolves when it may be committed.
   * @throws ConsumerError when the subscription has to end instead.
   */
  async take(record: KafkaRecord, eid: string, attempts: number, error: unknown): Promise<void> {
    if (this.#policy.then === 'stop') {
      if (error instanceof ConsumerError) throw error;
      throw new ConsumerError(
        'HANDLER_FAILED',
        `event ${eid} at ${record.topic}/${record.partition}/${record.offset} could not be handled after ${attempts} attempts, and no dead-letter topic is declared: mend the handler, it comes again`,
        { cause: error },
      );
    }
    const keys = this.#keys();
    if (keys && record.key !== null) {
      const key = keyText(record.key);
      // Parked before it is sent: a crash in between must not let a later event of the key pass. Then the event itself comes again, is known
      // by its place, and is tried and sent again.
      const { topic, partition, offset, timestampMs } = record;
      const place = { topicId: this.#topicId(topic), partition, offset, timestampMs };
      const event = { eid, place };
      const owner = this.#owners.get(partitionKey(record));
      await asked(keys.park({ group: this.#group, topic }, key, event, owner));
      const known = this.#parked.get(record.topic) ?? new Set();
      this.#parked.set(record.topic, known.add(key));
    }
    await this.#send(record, { eid, reason: 'failed', attempts, error });
  }

  /** Lets the key be handled again. **Order**: while nothing of its partition runs, and no letter of it waits. */
  async release(at: TopicPartition, key: string): Promise<void> {
    const owner = this.#owners.get(partitionKey(at));
    const scope = { group: this.#group, topic: at.topic };
    const keys = this.#keys();
    if (keys) await asked(keys.release(scope, key, owner));
  }

  #keys(): ParkedKeys | undefined {
    return this.#policy.then === 'dead-letter' && this.#policy.laterEvents.policy === 'park'
      ? this.#policy.laterEvents.keys
      : undefined;
  }

  async #send(
    record: KafkaRecord,
    cause: { eid: string; reason: 'failed' | 'parked'; attempts: number; error: unknown },
  ): Promise<void> {
    await this.#sender?.send(
      deadLetterRecord(record, { ...cause, group: this.#group }, new Date(this.#clock.wallMs())),
    );
    if (cause.reason === 'failed') this.#failed += 1;
    else this.#behind += 1;
    const { topic, partition, offset } = record;
    const { eid, attempts, error } = cause;
    this.#log.warn(
      {
        eid,
        topic,
        partition,
        offset: String(offset),
        attempt: attempts,
        ...(cause.reason === 'failed' ? { error } : {}),
      },
      cause.reason === 'failed'
        ? 'event became a dead letter'
        : 'event went behind the dead letter of its key',
    );
  }
}

/**
 * @throws ConsumerError DEAD_LETTER_FAILED where the store of the parked keys does not answer: without it the order of a key is not known.
 */
async function asked<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConsumerError) throw error;
    throw new ConsumerError(
      'DEAD_LETTER_FAILED',
      'the parked keys could not be read or written: check their database; what was not committed comes again',
      { cause: error },
    );
  }
}
