import { RelayError } from '../../services/relay/src/errors.ts';
import { transactionalIdOf } from '../../services/relay/src/kafka/transactional-id.ts';
import type { Publisher, PublisherSession } from '../../services/relay/src/kafka/publisher.ts';
import { lastOwnRecord } from '../../services/relay/src/kafka/source-tail.ts';
import type { Tail } from '../../services/relay/src/kafka/tail.ts';
import {
  sourceFingerprint,
  type SourceIdentity,
} from '../../services/relay/src/wal/source-position.ts';
import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import { journalRecord } from '../../services/relay/src/poison/journal-record.ts';
import { ParkedKeys } from '../../services/relay/src/poison/parked-keys.ts';
import { fenceJournal } from '../../services/relay/src/kafka/parked-keys-reader.ts';
import type { DeclaredTopic } from '@outbound/schemas';
import type { Life } from './life.ts';
import type { LoggedRecord } from './partition-log.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import { requestTimeoutMs, SimulatedSession } from './simulated-session.ts';

export interface SimulatedPublisherOptions {
  readonly kafka: SimulatedKafka;
  readonly life: Life;
  /** Where the parked keys are; undefined where poison stops the relay. */
  readonly parkedKeys?: DeclaredTopic | undefined;
  /** Defaults to the relay's own: one name per slot. A planted bug gives each session another. */
  readonly transactionalId?: (identity: SourceIdentity) => string;
  /** Defaults to the relay's own. A planted bug believes every header. */
  readonly tailOf?: (records: readonly LoggedRecord[], fingerprint: string) => Tail | undefined;
  /** Told when a session has read a partition's tail: what older epochs append there from now on may come twice. */
  readonly onTailRead?: (lane: string, epoch: number, isKnown: boolean) => void;
}

/** Partitions of the dead letters and of the parked keys, which have no tails. */
export function isDeadLetterLane(lane: string): boolean {
  return /outbound\.(dead-letters|parked-keys)\//.test(lane);
}

const lookBack = 64;

/**
 * The in-memory `Publisher`: sessions as `KafkaSession` has them (its numbering, its errors, one request to each leader, no retry of its
 * own), to simulated brokers over a network that loses, delays and doubles.
 */
export class SimulatedPublisher implements Publisher {
  readonly #options: SimulatedPublisherOptions;

  constructor(options: SimulatedPublisherOptions) {
    this.#options = options;
  }

  async open(identity: SourceIdentity, startLsn?: Lsn): Promise<PublisherSession> {
    const { kafka, life, onTailRead, tailOf = ownTail } = this.#options;
    const transactionalId = (this.#options.transactionalId ?? transactionalIdOf)(identity);
    const producer = await ask(this.#options, () => kafka.initProducer(transactionalId));
    const tails = new Map<string, Tail>();
    const fingerprint = sourceFingerprint(identity);
    for (const lane of kafka.chance.shuffled([...kafka.partitions.keys()])) {
      if (isDeadLetterLane(lane)) continue;
      const { log, leader } = kafka.partition(lane);
      const position = await ask(this.#options, () => {
        const from = Math.max(log.startOffset, log.endOffset - lookBack);
        const canRead = kafka.isUp(leader) && !kafka.chance.happens(kafka.weather.hideTail);
        const tail = canRead ? tailOf(log.records.slice(from), fingerprint) : undefined;
        const hasOwn = log.records.some(({ isForeign }) => !isForeign);
        onTailRead?.(lane, producer.producerEpoch, tail !== undefined || !hasOwn);
        return tail;
      });
      if (position) tails.set(lane, position);
    }
    const { parkedKeys } = this.#options;
    const parked = parkedKeys && new ParkedKeys(startLsn);
    const session = new SimulatedSession(kafka, life, producer, tails, parked);
    if (parkedKeys && parked) {
      await fenceJournal(session, parkedKeys, life.clock.wallMs());
      await this.#loadParkedKeys(parked, parkedKeys.topic, fingerprint);
    }
    return session;
  }

  /** All of it, or an error: what the leader does not show cannot be guessed. */
  async #loadParkedKeys(parked: ParkedKeys, topic: string, fingerprint: string): Promise<void> {
    const { kafka } = this.#options;
    for (const [lane, { log, leader }] of kafka.partitions) {
      if (!lane.startsWith(`${topic}/`)) continue;
      const records = await ask(this.#options, () =>
        kafka.isUp(leader) ? [...log.records] : undefined,
      );
      if (!records) throw new RelayError('SINK_PARTITION_UNAVAILABLE', `${lane} has no leader`);
      for (const { record } of records) {
        const journal = journalRecord(record.headers, fingerprint);
        if (journal) parked.load(journal);
      }
    }
  }
}

/** A question to any living broker. */
function ask<T>({ kafka, life }: SimulatedPublisherOptions, answer: () => T): Promise<T> {
  const { scheduler, chance } = kafka;
  return new Promise((resolve, reject) => {
    if (!life.act()) return;
    const later = (ms: number, run: () => void): void => {
      scheduler.after(ms, () => life.deliver('kafka', run));
    };
    const refuse = (): void => reject(new RelayError('SINK_UNAVAILABLE', 'no broker answers'));
    if (chance.happens(kafka.weather.loseRequest)) return later(requestTimeoutMs, refuse);
    const delayMs = chance.happens(kafka.weather.delayRequest)
      ? chance.unit() * requestTimeoutMs
      : 3;
    scheduler.after(chance.between(0.2, 1 + delayMs), () => {
      if (!kafka.hasLivingBroker) return later(chance.between(1, requestTimeoutMs), refuse);
      const answered = answer();
      later(chance.between(0.2, 4), () => resolve(answered));
    });
  });
}

/** What the real adapter reads back: headers and nothing else. */
export function ownTail(records: readonly LoggedRecord[], fingerprint: string): Tail | undefined {
  return lastOwnRecord(
    records.map(({ record }, offset) => ({
      offset: String(offset),
      isControlRecord: false,
      headers: record.headers,
    })),
    fingerprint,
  );
}
