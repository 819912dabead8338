import {
  errorFromCode,
  kafkaCode,
  PartitionSequences,
  refusesRecords,
  type ProducerIdentity,
} from '@outbound/kafka';
import { PipelineError } from '@outbound/service-kit';
import { RelayError, toRelayError } from '../../services/relay/src/errors.ts';
import { transactionalIdOf } from '../../services/relay/src/kafka/transactional-id.ts';
import {
  laneKey,
  type LaneAnswer,
  type LaneBatch,
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
import type { DeclaredTopic } from '@outbound/schemas';
import type { Life } from './life.ts';
import type { LoggedRecord } from './partition-log.ts';
import { kafkaError, type PartitionAnswer, type SimulatedKafka } from './simulated-kafka.ts';

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

const requestTimeoutMs = 2500;
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

class SimulatedSession implements PublisherSession {
  readonly tails: ReadonlyMap<string, Tail>;
  readonly parked: ParkedKeys | undefined;
  readonly #kafka: SimulatedKafka;
  readonly #life: Life;
  readonly #producer: ProducerIdentity;
  readonly #sequences = new PartitionSequences();
  readonly #leaders = new Map<string, number>();
  readonly #renewAtMs: number;
  readonly #pending = new Set<(error: RelayError) => void>();
  #isRefreshing = false;
  #isClosed = false;

  constructor(
    kafka: SimulatedKafka,
    life: Life,
    producer: ProducerIdentity,
    tails: ReadonlyMap<string, Tail>,
    parked: ParkedKeys | undefined,
  ) {
    this.#kafka = kafka;
    this.#life = life;
    this.#producer = producer;
    this.tails = tails;
    this.parked = parked;
    this.#renewAtMs = kafka.scheduler.nowMs + kafka.chance.between(4000, 120_000);
    this.#learnLeaders();
  }

  leaderOf(topic: string, partition: number): number {
    return this.#leaders.get(laneKey(topic, partition)) ?? -1;
  }

  mustRenew(): boolean {
    return this.#kafka.scheduler.nowMs >= this.#renewAtMs;
  }

  async send(batches: readonly LaneBatch[]): Promise<readonly LaneAnswer[]> {
    if (this.#isClosed) throw new RelayError('SINK_SESSION_BROKEN', 'this session is closed');
    const groups = new Map<number, LaneBatch[]>();
    for (const batch of batches) {
      const leader = this.leaderOf(batch.topic, batch.partition);
      groups.set(leader, [...(groups.get(leader) ?? []), batch]);
    }
    const failures: RelayError[] = [];
    const deliveries: LaneAnswer[] = [];
    await Promise.all(
      Array.from(groups, async ([leader, group]) => {
        try {
          await this.#sendTo(leader, group, deliveries, failures);
        } catch (thrown) {
          if (!(thrown instanceof PipelineError)) throw thrown;
          failures.push(toRelayError(thrown));
        }
      }),
    );
    if (failures.length > 0) this.#refresh();
    const fatal = failures.find(
      ({ code }) => code !== 'SINK_UNAVAILABLE' && code !== 'SINK_PARTITION_UNAVAILABLE',
    );
    if (fatal) throw fatal;
    if (deliveries.length === 0 && failures[0])
      throw failures.find(({ code }) => code === 'SINK_PARTITION_UNAVAILABLE') ?? failures[0];
    return deliveries;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const fail of this.#pending) fail(new RelayError('SINK_UNAVAILABLE', 'closed'));
    return new Promise((resolve) => {
      if (!this.#life.act()) return;
      this.#life.after(this.#kafka.chance.between(0, 20), resolve, 'kafka');
    });
  }

  async #sendTo(
    leader: number,
    batches: readonly LaneBatch[],
    deliveries: LaneAnswer[],
    failures: RelayError[],
  ): Promise<void> {
    const numbered = batches.map((batch) => ({
      batch,
      lane: laneKey(batch.topic, batch.partition),
      firstSequence: this.#sequences.begin(batch),
    }));
    try {
      const answers = await this.#request(leader, numbered);
      for (const { batch, lane } of numbered) {
        const answer = answers.get(lane);
        if (!answer) {
          failures.push(new RelayError('SINK_UNAVAILABLE', `${lane} was left out of the answer`));
        } else if (answer.code === kafkaError.none) {
          const baseOffset = BigInt(answer.baseOffset);
          this.#sequences.confirm(batch, baseOffset);
          deliveries.push({ topic: batch.topic, partition: batch.partition, baseOffset });
        } else if (refusesRecords(answer.code)) {
          const { topic, partition } = batch;
          this.#sequences.giveUp(batch);
          deliveries.push({ topic, partition, refusal: kafkaCode(answer.code).name });
        } else failures.push(toRelayError(errorFromCode(answer.code, `partition ${lane}`)));
      }
    } finally {
      for (const { batch } of numbered) this.#sequences.release(batch);
    }
  }

  /** One request over a network that may lose it, keep it for long, or lose its answer. */
  #request(
    leader: number,
    numbered: readonly { batch: LaneBatch; lane: string; firstSequence: number }[],
  ): Promise<ReadonlyMap<string, PartitionAnswer>> {
    const { scheduler, chance, weather } = this.#kafka;
    const producer = this.#producer;
    return new Promise((resolve, reject) => {
      if (!this.#life.act()) return;
      const fail = (error: RelayError): void => {
        this.#pending.delete(fail);
        timeout.cancel();
        reject(error);
      };
      const failed = (why: string) => () => fail(new RelayError('SINK_UNAVAILABLE', why));
      this.#pending.add(fail);
      const timeout = this.#life.after(requestTimeoutMs, failed('the broker is silent'), 'kafka');
      const back = (run: () => void): void => {
        scheduler.after(chance.between(0.2, 4), () => this.#life.deliver('kafka', run));
      };
      if (chance.happens(weather.loseRequest)) return;
      const delayMs = chance.happens(weather.delayRequest) ? chance.unit() * weather.delayMs : 0;
      scheduler.after(delayMs + chance.between(0.2, 4), () =>
        this.#kafka.atBroker(
          leader,
          () => {
            const answers = new Map<string, PartitionAnswer>();
            for (const { batch, lane, firstSequence } of numbered) {
              const { records } = batch;
              const answer = this.#kafka.produce(leader, lane, {
                producer,
                firstSequence,
                records,
              });
              if (!chance.happens(weather.omitPartition)) answers.set(lane, answer);
            }
            if (chance.happens(weather.loseAnswer)) return back(failed('the connection was reset'));
            back(() => {
              this.#pending.delete(fail);
              timeout.cancel();
              resolve(answers);
            });
          },
          () => back(failed('the connection was refused')),
        ),
      );
    });
  }

  #learnLeaders(): void {
    for (const [lane, { leader }] of this.#kafka.partitions) this.#leaders.set(lane, leader);
  }

  #refresh(): void {
    if (this.#isRefreshing || this.#isClosed || !this.#life.act()) return;
    this.#isRefreshing = true;
    this.#life.after(
      this.#kafka.chance.between(1, 30),
      () => {
        this.#isRefreshing = false;
        if (this.#kafka.hasLivingBroker) this.#learnLeaders();
      },
      'kafka',
    );
  }
}
