import { laneKey } from '../../services/relay/src/kafka/publisher.ts';
import { aloneInBatchBytes, batchOverhead, type ProducerIdentity } from '@outbound/kafka';
import type { Chance } from './chance.ts';
import { PartitionLog, type AppendResult, type ProducedBatch } from './partition-log.ts';
import type { Life } from './life.ts';
import type { Scheduler } from './scheduler.ts';
import { SimulatedCoordinator } from './simulated-coordinator.ts';

/** Numbers of Kafka's errors that the simulation gives; their names are in the relay's `kafka-errors.ts`. */
export const kafkaError = {
  none: 0,
  notLeader: 6,
  messageTooLarge: 10,
  offsetOutOfRange: 1,
  coordinatorLoading: 14,
  notCoordinator: 16,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  concurrentTransactions: 51,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
} as const;

export interface PartitionAnswer {
  readonly code: number;
  readonly baseOffset: number;
}

interface Broker {
  isUp: boolean;
  /** Stopped: what arrives waits, what is asked is not answered. */
  isHung: boolean;
  slowMs: number;
  waiting: (() => void)[];
}

interface Partition {
  readonly log: PartitionLog;
  /** When a batch was last added. */
  appendedMs: number;
  leader: number;
  hasReplicas: boolean;
}

/** What the network between relay and brokers does; set by the nemesis. */
export interface KafkaWeather {
  /** Probability that a request is lost before the broker sees it. */
  loseRequest: number;
  /** Probability that an answer is lost after the broker has acted. */
  loseAnswer: number;
  /** Probability that a request hangs about in the network, and for how long at most. */
  delayRequest: number;
  delayMs: number;
  /** Probability that an answer leaves a partition out. */
  omitPartition: number;
  /** Probability that the last records of a partition cannot be read at a start. */
  hideTail: number;
  /** Probability that the coordinator of producers is moving, loading, or busy with the same name. Above one half it answers nothing to those who deliver exactly once. */
  troubleCoordinator: number;
}

export const fairWeather: KafkaWeather = {
  loseRequest: 0,
  loseAnswer: 0,
  delayRequest: 0,
  delayMs: 0,
  omitPartition: 0,
  hideTail: 0,
  troubleCoordinator: 0,
};

const brokerIds = [1, 2, 3] as const;

/** A cluster of three brokers: who leads what, who is up, and what a request finds when it arrives. */
export class SimulatedKafka {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly partitions = new Map<string, Partition>();
  weather: KafkaWeather = fairWeather;
  readonly #brokers = new Map<number, Broker>();
  readonly coordinator: SimulatedCoordinator;
  /** The largest batch that a partition takes, as bytes on the wire (`max.message.bytes`). */
  maxBatchBytes = Infinity;
  /** Partitions that take more than that. */
  isRoomy: (lane: string) => boolean = () => false;
  /** Told of every record that a batch has added, with the session that wrote it: the how manieth that was opened. */
  onAppended: (lane: string, session: number, count: number) => void = () => undefined;
  /** Told when a relay has asked where partitions begin and end. */
  onRangesGiven: () => void = () => undefined;
  /** When a session wants to be replaced, at the earliest and at the latest. */
  renewWithinMs: readonly [number, number] = [4000, 120_000];
  /** How often a broker was healed. */
  heals = 0;
  /** Partitions that took records of a transaction that is not over them, as Kafka before 3.6 does: no reader is shown them, nor what is behind them. */
  readonly strays = new Set<string>();
  /** Relays that no broker can be reached from. */
  readonly cutOff = new Set<Life>();
  /** Relays to which no partition shows its last records at a start. */
  readonly blind = new Set<Life>();

  constructor(
    scheduler: Scheduler,
    chance: Chance,
    topics: readonly { readonly topic: string; readonly partitions: number }[],
  ) {
    this.scheduler = scheduler;
    this.chance = chance;
    this.coordinator = new SimulatedCoordinator(
      scheduler,
      chance.fork('coordinator'),
      (lane) => this.partition(lane).log,
      (lane) => this.#takesMarkers(lane),
    );
    for (const id of brokerIds)
      this.#brokers.set(id, { isUp: true, isHung: false, slowMs: 0, waiting: [] });
    for (const { topic, partitions } of topics)
      for (let partition = 0; partition < partitions; partition += 1)
        this.partitions.set(laneKey(topic, partition), {
          log: new PartitionLog(),
          appendedMs: 0,
          leader: chance.pick(brokerIds),
          hasReplicas: true,
        });
  }

  get brokerIds(): readonly number[] {
    return brokerIds;
  }

  isUp(broker: number): boolean {
    return this.#broker(broker).isUp;
  }

  /** Nobody answers questions about transactions; brokers take records all the same. */
  get isCoordinatorAway(): boolean {
    return this.weather.troubleCoordinator > 0.5;
  }

  get hasLivingBroker(): boolean {
    return brokerIds.some((id) => this.#broker(id).isUp && !this.#broker(id).isHung);
  }

  partition(lane: string): Partition {
    const partition = this.partitions.get(lane);
    if (!partition) throw new Error(`the simulated cluster has no partition ${lane}`);
    return partition;
  }

  /** Where readers find the end of each partition. */
  endOffsets(): Map<string, number> {
    return new Map(Array.from(this.partitions, ([lane, { log }]) => [lane, log.highWatermark]));
  }

  /** The how manieth session it is. */
  sessionOf(producer: ProducerIdentity): number {
    return this.coordinator.sessionOf(producer);
  }

  /** Runs `act` on the broker when it takes the request, later if it hangs; or `refused` if it is down. */
  atBroker(broker: number, act: () => void, refused: () => void): void {
    const state = this.#broker(broker);
    if (!state.isUp) refused();
    else if (state.isHung) state.waiting.push(act);
    else if (state.slowMs > 0)
      this.scheduler.after(this.chance.between(0, state.slowMs), () => {
        if (this.#broker(broker).isUp) act();
        else refused();
      });
    else act();
  }

  /** What the broker makes of one partition's batch, which may be of a transaction. */
  produce(
    broker: number,
    lane: string,
    batch: Omit<ProducedBatch, 'hidden'>,
    transactionalId?: string,
  ): PartitionAnswer {
    const partition = this.partition(lane);
    const refused = (code: number): PartitionAnswer => ({ code, baseOffset: -1 });
    if (partition.leader !== broker) return refused(kafkaError.notLeader);
    if (!partition.hasReplicas) return refused(kafkaError.notEnoughReplicas);
    const bytes = batch.records.reduce(
      (sum, record) => sum + aloneInBatchBytes(record) - batchOverhead,
      batchOverhead,
    );
    if (bytes > this.maxBatchBytes && !this.isRoomy(lane))
      return refused(kafkaError.messageTooLarge);
    const open =
      transactionalId === undefined
        ? undefined
        : this.coordinator.hiddenOf(transactionalId, batch.producer, lane);
    const hidden = open ?? (transactionalId === undefined ? undefined : []);
    const result: AppendResult = partition.log.append({ ...batch, hidden });
    if (!open && hidden && hidden.length > 0) this.strays.add(lane);
    if (result === 'INVALID_PRODUCER_EPOCH') return refused(kafkaError.invalidProducerEpoch);
    if (result === 'OUT_OF_ORDER_SEQUENCE_NUMBER') return refused(kafkaError.outOfOrderSequence);
    partition.appendedMs = this.scheduler.nowMs;
    if (!result.isDuplicate)
      this.onAppended(lane, this.sessionOf(batch.producer), batch.records.length);
    // A repeated batch is confirmed no sooner than it is replicated.
    if (result.baseOffset + batch.records.length > partition.log.highWatermark)
      return refused(kafkaError.notEnoughReplicasAfterAppend);
    return { code: kafkaError.none, baseOffset: result.baseOffset };
  }

  /** Forgets the producers of partitions that have been quiet for so long: a day, for the brokers (`producer.id.expiration.ms`). */
  forgetQuietProducers(ms: number): void {
    for (const { log, appendedMs } of this.partitions.values())
      if (this.scheduler.nowMs - appendedMs >= ms) log.forgetProducers();
  }

  /** The broker is gone; after a while others lead what it led. */
  kill(broker: number): void {
    const state = this.#broker(broker);
    state.isUp = false;
    state.waiting = [];
    this.scheduler.after(this.chance.between(500, 4000), () => this.#moveAway(broker));
  }

  hang(broker: number): void {
    this.#broker(broker).isHung = true;
    this.scheduler.after(this.chance.between(500, 4000), () => {
      if (this.#broker(broker).isHung) this.#moveAway(broker);
    });
  }

  /** Up, awake and fast again; what waited for a hung broker is taken now. */
  heal(broker: number): void {
    this.heals += 1;
    const state = this.#broker(broker);
    state.isUp = true;
    state.isHung = false;
    state.slowMs = 0;
    const { waiting } = state;
    state.waiting = [];
    for (const act of waiting) this.scheduler.after(this.chance.between(0, 5), act);
  }

  slow(broker: number, ms: number): void {
    this.#broker(broker).slowMs = ms;
  }

  /** Gives a partition to another broker, if there is one. */
  moveLeader(lane: string): void {
    const partition = this.partition(lane);
    const others = brokerIds.filter((id) => id !== partition.leader && this.#broker(id).isUp);
    if (others.length === 0) return;
    partition.leader = this.chance.pick(others);
    partition.log.truncate((batches) => this.chance.int(0, batches));
  }

  #takesMarkers(lane: string): boolean {
    const { leader, hasReplicas, log } = this.partition(lane);
    const { isUp, isHung } = this.#broker(leader);
    return isUp && !isHung && hasReplicas && log.isReplicated;
  }

  #moveAway(broker: number): void {
    const { isUp, isHung } = this.#broker(broker);
    if (isUp && !isHung) return;
    for (const [lane, { leader }] of this.partitions) if (leader === broker) this.moveLeader(lane);
  }

  #broker(id: number): Broker {
    const broker = this.#brokers.get(id);
    if (!broker) throw new Error(`there is no broker ${id}`);
    return broker;
  }
}
