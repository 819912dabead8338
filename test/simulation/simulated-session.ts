import {
  errorFromCode,
  kafkaCode,
  PartitionSequences,
  refusesRecords,
  refusesSize,
  type ProducerIdentity,
} from '@outbound/kafka';
import { PipelineError } from '@outbound/service-kit';
import { RelayError, toRelayError } from '../../services/relay/src/errors.ts';
import {
  laneKey,
  type LaneAnswer,
  type LaneBatch,
  type PublisherSession,
} from '../../services/relay/src/kafka/publisher.ts';
import type { Tail } from '../../services/relay/src/kafka/tail.ts';
import type { ParkedKeys } from '../../services/relay/src/poison/parked-keys.ts';
import type { Life } from './life.ts';
import { kafkaError, type PartitionAnswer, type SimulatedKafka } from './simulated-kafka.ts';

export const requestTimeoutMs = 2500;
/** How often an idle session asks the cluster (`metadataRefreshMs`, 10 s in the real one). */
const idleQuestionMs = 2000;

/** What a session is told, and whom it tells. */
export interface SimulatedSessionParts {
  readonly kafka: SimulatedKafka;
  readonly life: Life;
  /** Every batch is of its transaction. */
  readonly transactionalId: string | undefined;
  readonly onAsked?: (error: RelayError | undefined) => void;
  readonly onConfirmed?: () => void;
  readonly asksWhileIdle?: boolean;
}

/** One producer of a simulated relay: `KafkaSession`'s numbering and errors, over a network that loses, delays and doubles. */
export class SimulatedSession implements PublisherSession {
  readonly tails: ReadonlyMap<string, Tail>;
  readonly parked: ParkedKeys | undefined;
  readonly #parts: SimulatedSessionParts;
  readonly #kafka: SimulatedKafka;
  readonly #life: Life;
  readonly #transactionalId: string | undefined;
  readonly #producer: ProducerIdentity;
  readonly #sequences = new PartitionSequences();
  readonly #leaders = new Map<string, number>();
  readonly #renewAtMs: number;
  readonly #pending = new Set<(error: RelayError) => void>();
  #isRefreshing = false;
  #isClosed = false;

  constructor(
    parts: SimulatedSessionParts,
    producer: ProducerIdentity,
    tails: ReadonlyMap<string, Tail>,
    parked: ParkedKeys | undefined,
  ) {
    const { kafka, life, transactionalId, asksWhileIdle = true } = parts;
    this.#parts = parts;
    this.#kafka = kafka;
    this.#life = life;
    this.#transactionalId = transactionalId;
    this.#producer = producer;
    this.tails = tails;
    this.parked = parked;
    this.#renewAtMs = kafka.scheduler.nowMs + kafka.chance.between(...kafka.renewWithinMs);
    this.#learnLeaders();
    if (asksWhileIdle) this.#askWhileIdle();
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
    if (deliveries.some((answer) => 'baseOffset' in answer)) this.#parts.onConfirmed?.();
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
          const isForSize = refusesSize(answer.code);
          deliveries.push({ topic, partition, refusal: kafkaCode(answer.code).name, isForSize });
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
      if (this.#kafka.cutOff.has(this.#life) || chance.happens(weather.loseRequest)) return;
      const delayMs = chance.happens(weather.delayRequest) ? chance.unit() * weather.delayMs : 0;
      scheduler.after(delayMs + chance.between(0.2, 4), () =>
        this.#kafka.atBroker(
          leader,
          () => {
            const answers = new Map<string, PartitionAnswer>();
            for (const { batch, lane, firstSequence } of numbered) {
              const { records } = batch;
              const answer = this.#kafka.produce(
                leader,
                lane,
                { producer, firstSequence, records },
                this.#transactionalId,
              );
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

  #askWhileIdle(): void {
    this.#life.after(idleQuestionMs, () => {
      if (this.#isClosed) return;
      this.#refresh();
      this.#askWhileIdle();
    });
  }

  #refresh(): void {
    if (this.#isRefreshing || this.#isClosed || !this.#life.act()) return;
    this.#isRefreshing = true;
    const isReached = this.#kafka.hasLivingBroker && !this.#kafka.cutOff.has(this.#life);
    this.#life.after(
      isReached ? this.#kafka.chance.between(1, 30) : requestTimeoutMs,
      () => {
        this.#isRefreshing = false;
        if (this.#isClosed) return;
        if (isReached) this.#learnLeaders();
        this.#parts.onAsked?.(
          isReached ? undefined : new RelayError('SINK_UNAVAILABLE', 'no broker answers'),
        );
      },
      'kafka',
    );
  }
}
