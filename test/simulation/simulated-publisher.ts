import {
  errorFromCode,
  KafkaError,
  takeProducer as relaysTakeProducer,
  type ProducerIdentity,
  type TopicPartition,
} from '@outbound/kafka';
import { RelayError, toRelayError } from '../../services/relay/src/errors.ts';
import { transactionalIdOf } from '../../services/relay/src/kafka/transactional-id.ts';
import {
  laneKey,
  type Publisher,
  type PublisherSession,
} from '../../services/relay/src/kafka/publisher.ts';
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
import type { DeclaredTopic } from '@outbound/contract';
import type { Delivery } from '../../services/relay/src/kafka/kafka-publisher.ts';
import {
  TransactionalSession,
  type TransactionalSessionParts,
} from '../../services/relay/src/kafka/transactional-session.ts';
import type { Life } from './life.ts';
import type { LoggedRecord, PartitionLog } from './partition-log.ts';
import { kafkaError, type SimulatedKafka } from './simulated-kafka.ts';
import { SimulatedSession } from './simulated-session.ts';
import { ask, SimulatedTransactions } from './simulated-transactions.ts';

export interface SimulatedPublisherOptions {
  readonly kafka: SimulatedKafka;
  readonly life: Life;
  /** Where the parked keys are; undefined where poison stops the relay. */
  readonly parkedKeys?: DeclaredTopic | undefined;
  /** Defaults to at least once. */
  readonly delivery?: Delivery | undefined;
  /** Defaults to the relay's own. A planted bug confirms before the commit, or reads what is not committed. */
  readonly transactional?: (parts: TransactionalSessionParts) => PublisherSession;
  readonly readsUncommitted?: boolean;
  /** Defaults to the relay's own: one name per slot. A planted bug gives each session another. */
  readonly transactionalId?: (identity: SourceIdentity) => string;
  /** Defaults to the relay's own. A planted bug believes every header. */
  readonly tailOf?: (records: readonly LoggedRecord[], fingerprint: string) => Tail | undefined;
  /** What the relay reads tails up to; defaults to what brokers show. A planted bug sees what is not replicated. */
  readonly endOf?: (log: PartitionLog) => number;
  /** What becomes of a partition whose tail could not be read: defaults to the relay's own, which goes on without it. */
  readonly onTailUnread?: (error: KafkaError) => void;
  /** What the relay makes of a coordinator's code; defaults to its own. */
  readonly coordinatorError?: (code: number) => Error;
  /** Defaults to the relay's own. A planted bug does not care for the end of a producer id. */
  readonly takeProducer?: typeof relaysTakeProducer;
  /** What the relay makes of the producer that it was given; a planted bug may not want it. */
  readonly onProducer?: (producer: ProducerIdentity, life: Life) => void;
  /** Told after each question to the cluster, as the real publisher does; and when brokers have confirmed something. */
  readonly onAsked?: (error: RelayError | undefined) => void;
  readonly onConfirmed?: () => void;
  /** Told while a transaction waits, as the real publisher does. */
  readonly onWaiting?: TransactionalSessionParts['onWaiting'];
  /** Whether an idle session asks the cluster if it is there; the relay's own does. */
  readonly asksWhileIdle?: boolean;
  /** Told when a session has read a partition's tail: what older sessions append there from now on, and what is not shown yet, may come twice. */
  readonly onTailRead?: (lane: string, session: number, isKnown: boolean, hidden: number) => void;
}

/** Partitions of the dead letters and of the parked keys, which have no tails. */
export function isDeadLetterLane(lane: string): boolean {
  return /outbound\.(dead-letters|parked-keys)\//.test(lane);
}

const lookBack = 64;
const coordinatorTroubles = [
  kafkaError.coordinatorLoading,
  kafkaError.notCoordinator,
  kafkaError.concurrentTransactions,
] as const;

function highWatermarkOf({ highWatermark }: PartitionLog): number {
  return highWatermark;
}

function fromCoordinator(code: number): Error {
  return errorFromCode(code, 'the coordinator');
}

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
    const { kafka, life, delivery, parkedKeys } = this.#options;
    const transactionalId = (this.#options.transactionalId ?? transactionalIdOf)(identity);
    const isExact = delivery === 'exactly-once';
    const transactions = new SimulatedTransactions(this.#options, transactionalId);
    const { takeProducer = relaysTakeProducer } = this.#options;
    let isFirst = true;
    const producer = await takeProducer(
      {
        take: () => {
          const take = isFirst && !isExact ? this.#fence(transactionalId) : transactions.init();
          isFirst = false;
          return take;
        },
        addEverywhere: (given) => transactions.add(given, [...kafka.partitions.keys()]),
      },
      { fencesFirst: isExact },
    );
    this.#options.onProducer?.(producer, life);
    const fingerprint = sourceFingerprint(identity);
    const tails = await this.#readTails(kafka.sessionOf(producer), fingerprint);
    const parked = parkedKeys && new ParkedKeys(startLsn);
    const inner = new SimulatedSession(
      { ...this.#options, transactionalId: isExact ? transactionalId : undefined },
      producer,
      tails,
      parked,
    );
    const session = isExact ? this.#transactional(inner, transactions, producer) : inner;
    if (parkedKeys && parked) {
      if (!isExact) await fenceJournal(session, parkedKeys, life.clock.wallMs());
      await this.#loadParkedKeys(parked, parkedKeys.topic, fingerprint);
    }
    return session;
  }

  #transactional(
    session: PublisherSession,
    transactions: SimulatedTransactions,
    producer: ProducerIdentity,
  ): PublisherSession {
    const { life, transactional, onConfirmed, onWaiting = () => undefined } = this.#options;
    const lanesOf = (partitions: readonly TopicPartition[]): string[] =>
      partitions.map(({ topic, partition }) => laneKey(topic, partition));
    const parts: TransactionalSessionParts = {
      session,
      transactions: {
        add: (partitions, onWait) => transactions.add(producer, lanesOf(partitions), onWait),
        commit: async (onWait) => {
          const end = await transactions.commit(producer, onWait);
          onConfirmed?.();
          return end;
        },
        retire: (partitions, ms) => transactions.retire(producer, lanesOf(partitions), ms),
        wasAbortedByTime: () => transactions.wasAbortedByTime(producer),
      },
      onWaiting,
      clock: life.clock,
      storeWithinMs: 15_000,
      closing: new AbortController(),
    };
    return transactional ? transactional(parts) : new TransactionalSession(parts);
  }

  async #fence(transactionalId: string): Promise<ProducerIdentity> {
    const { kafka, coordinatorError = fromCoordinator } = this.#options;
    const answer = await ask(
      this.#options,
      () =>
        kafka.chance.happens(kafka.weather.troubleCoordinator)
          ? kafka.chance.pick(coordinatorTroubles)
          : kafka.coordinator.init(transactionalId),
      kafka.weather.loseAnswer,
    );
    if (typeof answer === 'number') throw coordinatorError(answer);
    if (!answer) throw new RelayError('SINK_UNAVAILABLE', 'an older transaction is being ended');
    return answer;
  }

  /** Where each partition begins and ends, and then, by and by, what it holds: retention may come in between. */
  async #readTails(session: number, fingerprint: string): Promise<Map<string, Tail>> {
    const { kafka, life, onTailRead, tailOf = ownTail, endOf = highWatermarkOf } = this.#options;
    const { delivery, readsUncommitted = false } = this.#options;
    const isExact = delivery === 'exactly-once';
    const lanes = [...kafka.partitions.keys()].filter((lane) => !isDeadLetterLane(lane));
    const beginnings = await ask(this.#options, () => {
      const from = ({ startOffset, highWatermark }: PartitionLog) =>
        Math.max(startOffset, highWatermark - lookBack);
      const given = new Map(lanes.map((lane) => [lane, from(kafka.partition(lane).log)]));
      kafka.onRangesGiven();
      return given;
    });
    const tails = new Map<string, Tail>();
    for (const lane of kafka.chance.shuffled(lanes)) {
      const { log, leader } = kafka.partition(lane);
      const isHidden = kafka.blind.has(life) || kafka.chance.happens(kafka.weather.hideTail);
      const tail = await ask(this.#options, () => {
        const from = beginnings.get(lane) ?? 0;
        const isThere = log.startOffset <= from;
        const canRead = kafka.isUp(leader) && !isHidden && isThere;
        // At least once goes on, and repeats.
        if (isExact && !canRead)
          return new KafkaError(
            'KAFKA_PARTITION_UNAVAILABLE',
            `the tail of ${lane} cannot be read`,
          );
        const records = isExact
          ? committed(log, readsUncommitted)
          : log.records.slice(from, endOf(log));
        const read = canRead ? tailOf(records, fingerprint) : undefined;
        const hasOwn = log.records.some(({ isForeign }) => !isForeign);
        onTailRead?.(
          lane,
          session,
          read !== undefined || !hasOwn,
          log.endOffset - log.highWatermark,
        );
        return isThere ? read : errorFromCode(kafkaError.offsetOutOfRange, lane);
      });
      if (tail instanceof KafkaError) {
        if (isExact) throw toRelayError(tail);
        this.#options.onTailUnread?.(tail);
      } else if (tail) tails.set(lane, tail);
    }
    return tails;
  }

  /** All of it, or an error: what the leader does not show cannot be guessed. */
  async #loadParkedKeys(parked: ParkedKeys, topic: string, fingerprint: string): Promise<void> {
    const { kafka } = this.#options;
    for (const [lane, { log, leader }] of kafka.partitions) {
      if (!lane.startsWith(`${topic}/`)) continue;
      const records = await ask(this.#options, () =>
        kafka.isUp(leader)
          ? log.records.slice(0, log.highWatermark).filter(({ isForeign }) => !isForeign)
          : undefined,
      );
      if (!records) throw new RelayError('SINK_PARTITION_UNAVAILABLE', `${lane} has no leader`);
      for (const { record } of records) {
        const journal = journalRecord(record.headers, fingerprint);
        if (journal) parked.load(journal);
      }
    }
  }
}

/** What a read-committed reader is shown; that it was in a transaction is no news to it. */
function committed(log: PartitionLog, isAll: boolean): LoggedRecord[] {
  return log.records
    .filter(({ isForeign }) => isAll || !isForeign)
    .map((each) => ({ ...each, isTransactional: false }));
}

/** What the real adapter of at-least-once reads back: headers, and whether it was in a transaction. */
export function ownTail(records: readonly LoggedRecord[], fingerprint: string): Tail | undefined {
  return lastOwnRecord(
    records.map(({ record, isTransactional }, offset) => ({
      offset: String(offset),
      isControlRecord: false,
      batchContext: { inTransaction: isTransactional },
      headers: record.headers,
    })),
    fingerprint,
  );
}
