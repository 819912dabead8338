import type { TopicFacts, TopicPartition } from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import type { Scheduler } from '../scheduler.ts';
import { kafkaCode } from './kafka-codes.ts';
import { SimulatedTopic, type SimulatedPartition } from './simulated-topic.ts';

interface Broker {
  isUp: boolean;
  /** Stopped: what arrives waits, nothing is answered, no timer runs. */
  isHung: boolean;
  slowMs: number;
  waiting: (() => void)[];
  /** What it knows of the topics. */
  readonly views: Map<string, { readonly facts: TopicFacts; readonly topic: SimulatedTopic }>;
  /** The newest that it has heard of each name, deletions too. */
  readonly heard: Map<string, { readonly incarnation: number; readonly version: number }>;
  /** What it could not hear while it was down or hung. */
  unheard: (() => void)[];
}

/** Who answers for a partition at a broker: the partition, or Kafka's code. */
export type Served =
  | { readonly partition: SimulatedPartition }
  | { readonly errorCode: number; readonly partition?: undefined };

const brokerIds = [1, 2, 3] as const;

/** Three brokers and their topics: who leads what, who has heard of it, who is up. */
export class SimulatedCluster {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly trace: (what: string) => void;
  /** All there ever were, in order. */
  readonly incarnations: SimulatedTopic[] = [];
  /** How long news takes to a broker, at most. */
  gossipMs = 200;
  onDeleted: (topic: SimulatedTopic) => void = () => undefined;
  onBrokerGone: (broker: number) => void = () => undefined;
  readonly #topics = new Map<string, SimulatedTopic>();
  readonly #brokers = new Map<number, Broker>();
  readonly #watchers = new Set<() => void>();

  constructor(scheduler: Scheduler, chance: Chance, trace: (what: string) => void) {
    this.scheduler = scheduler;
    this.chance = chance;
    this.trace = trace;
    for (const id of brokerIds)
      this.#brokers.set(id, {
        isUp: true,
        isHung: false,
        slowMs: 0,
        waiting: [],
        views: new Map(),
        heard: new Map(),
        unheard: [],
      });
  }

  get brokerIds(): readonly number[] {
    return brokerIds;
  }

  isUp(id: number): boolean {
    return this.#broker(id).isUp;
  }

  isHung(id: number): boolean {
    return this.#broker(id).isHung;
  }

  /** The topic of this name that there is now. */
  topic(name: string): SimulatedTopic | undefined {
    return this.#topics.get(name);
  }

  /** @throws Error if there is no such partition now. */
  partition(name: string, partition: number): SimulatedPartition {
    const found = this.#topics.get(name)?.partitions[partition];
    if (!found) throw new Error(`the simulated cluster has no ${name}/${partition}`);
    return found;
  }

  /** @param isKnownAtOnce whether every broker has heard of it, as before a schedule begins. */
  create(name: string, partitions: number, isKnownAtOnce = false): SimulatedTopic {
    const before = this.incarnations.filter((topic) => topic.name === name).length;
    const topic = new SimulatedTopic(name, before + 1);
    this.incarnations.push(topic);
    this.#topics.set(name, topic);
    for (let count = 0; count < partitions; count += 1) this.#addPartition(topic);
    this.trace(`topic ${name} is made, incarnation ${topic.incarnation}`);
    this.#tell(topic, isKnownAtOnce);
    return topic;
  }

  grow(name: string, by: number): void {
    const topic = this.#topics.get(name);
    if (!topic) return;
    for (let count = 0; count < by; count += 1) this.#addPartition(topic);
    this.trace(`topic ${name} has ${topic.partitions.length} partitions now`);
    this.#tell(topic);
  }

  delete(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic) return;
    topic.isDeleted = true;
    for (const partition of topic.partitions) partition.isDeleted = true;
    this.#topics.delete(name);
    this.trace(`topic ${name} is deleted`);
    this.#tell(topic);
    this.onDeleted(topic);
  }

  /** What this broker says of a topic. */
  describe(broker: number, name: string): TopicFacts {
    return (
      this.#broker(broker).views.get(name)?.facts ?? {
        topic: name,
        topicId: undefined,
        errorCode: kafkaCode.unknownTopicOrPartition,
        partitions: [],
      }
    );
  }

  /** A broker serves what it leads and knows to lead, also of a topic whose deletion it has not heard of. */
  serve(broker: number, { topic, partition }: TopicPartition, epoch = -1): Served {
    const view = this.#broker(broker).views.get(topic);
    const seen = view?.facts.partitions[partition];
    const found = view?.topic.partitions[partition];
    if (!seen || !found) return { errorCode: kafkaCode.unknownTopicOrPartition };
    if (found.leader !== broker || seen.leader !== broker) {
      const isReplica = found.replicas.includes(broker);
      const code =
        isReplica || this.chance.happens(0.5) ? 'notLeaderOrFollower' : 'unknownTopicOrPartition';
      return { errorCode: kafkaCode[code] };
    }
    if (epoch >= 0 && epoch < found.leaderEpoch) return { errorCode: kafkaCode.fencedLeaderEpoch };
    if (epoch > found.leaderEpoch) return { errorCode: kafkaCode.unknownLeaderEpoch };
    return { partition: found };
  }

  /** The partition that this broker takes a name for, whoever leads it. */
  seenBy(broker: number, { topic, partition }: TopicPartition): SimulatedPartition | undefined {
    return this.#broker(broker).views.get(topic)?.topic.partitions[partition];
  }

  byId(topicId: string, partition: number): SimulatedPartition | undefined {
    return this.incarnations.find(({ id }) => id === topicId)?.partitions[partition];
  }

  /** Another replica leads; it may know of a high watermark that is behind, and what only the old leader had is gone. */
  elect(partition: SimulatedPartition, leader: number): void {
    if (partition.leader === leader) return;
    partition.leader = leader;
    partition.leaderEpoch += 1;
    const { log } = partition;
    partition.epochStart = log.endOffset;
    if (this.chance.happens(0.5))
      log.highWatermark = Math.max(
        log.startOffset,
        Math.min(log.highWatermark, log.highWatermark - this.chance.int(0, 8)),
      );
    this.trace(
      `${partition.uid} is led by ${leader}, epoch ${partition.leaderEpoch}, high watermark ${log.highWatermark} of ${log.endOffset}`,
    );
    this.#tellOf(partition);
    this.replicate(partition);
  }

  /** Elects any other replica that is up; with none there is no leader. */
  electOther(partition: SimulatedPartition): void {
    const others = partition.replicas.filter(
      (id) => id !== partition.leader && this.#broker(id).isUp && !this.#broker(id).isHung,
    );
    this.elect(partition, others.length > 0 ? this.chance.pick(others) : -1);
  }

  /** A reassignment: other replicas, the first of them leads. */
  reassign(partition: SimulatedPartition, replicas: readonly number[]): void {
    partition.replicas = replicas;
    this.trace(`${partition.uid} moves to ${replicas.join(', ')}`);
    this.elect(partition, replicas.find((id) => this.#broker(id).isUp) ?? -1);
    this.#tellOf(partition);
  }

  /** After a while every replica in sync has everything, unless they are stuck. */
  replicate(partition: SimulatedPartition): void {
    const { log } = partition;
    const to = log.endOffset;
    this.scheduler.after(this.chance.between(0, 40), () => {
      if (partition.isReplicationStuck || partition.leader < 0) return;
      log.highWatermark = Math.max(log.highWatermark, Math.min(to, log.endOffset));
      partition.committedTo = Math.max(partition.committedTo, log.highWatermark);
      this.changed();
    });
  }

  /** Calls back at every change that a waiting fetch could be waiting for, until the given function is called. */
  watch(look: () => void): () => void {
    this.#watchers.add(look);
    return () => this.#watchers.delete(look);
  }

  changed(): void {
    for (const look of [...this.#watchers]) look();
  }

  /** Runs `act` when the broker takes the request, later if it hangs; or `refused` if it is down. */
  atBroker(id: number, act: () => void, refused: () => void): void {
    const broker = this.#broker(id);
    if (!broker.isUp) refused();
    else if (broker.isHung) broker.waiting.push(act);
    else if (broker.slowMs > 0)
      this.scheduler.after(this.chance.between(0, broker.slowMs), () => {
        if (broker.isUp) act();
        else refused();
      });
    else act();
  }

  /** The broker is gone; after a while others lead what it led. */
  kill(id: number): void {
    const broker = this.#broker(id);
    broker.isUp = false;
    broker.waiting = [];
    this.onBrokerGone(id);
    this.scheduler.after(this.chance.between(100, 3000), () => this.#moveAway(id));
  }

  hang(id: number): void {
    this.#broker(id).isHung = true;
    this.scheduler.after(this.chance.between(500, 4000), () => this.#moveAway(id));
  }

  slow(id: number, ms: number): void {
    this.#broker(id).slowMs = ms;
  }

  /** Up, awake and fast again; what waited is taken now, partitions without a leader have one again. */
  heal(id: number): void {
    const broker = this.#broker(id);
    broker.isUp = true;
    broker.isHung = false;
    broker.slowMs = 0;
    const { waiting, unheard } = broker;
    broker.waiting = [];
    broker.unheard = [];
    for (const hear of unheard) hear();
    for (const act of waiting) this.scheduler.after(this.chance.between(0, 5), act);
    for (const partition of this.partitions())
      if (partition.leader < 0 && partition.replicas.includes(id)) this.elect(partition, id);
  }

  /** Of the topics that there are now. */
  partitions(): SimulatedPartition[] {
    return [...this.#topics.values()].flatMap(({ partitions }) => partitions);
  }

  #addPartition(topic: SimulatedTopic): void {
    const replicas = this.chance.shuffled(brokerIds).slice(0, this.chance.int(1, 3));
    topic.add(replicas.find((id) => this.#broker(id).isUp) ?? -1, replicas);
  }

  #tellOf({ uid }: SimulatedPartition): void {
    const topic = this.incarnations.find(({ partitions }) =>
      partitions.some((each) => each.uid === uid),
    );
    if (topic && !topic.isDeleted) this.#tell(topic);
  }

  /** News of a topic reach each broker in its own time, never in the wrong order. */
  #tell(topic: SimulatedTopic, isKnownAtOnce = false): void {
    topic.version += 1;
    const { version, isDeleted } = topic;
    const facts = topic.facts();
    for (const broker of this.#brokers.values()) {
      const hear = (): void => {
        if (!broker.isUp || broker.isHung) {
          broker.unheard.push(hear);
          return;
        }
        const { incarnation, name } = topic;
        const heard = broker.heard.get(name) ?? { incarnation: 0, version: 0 };
        if (heard.incarnation > incarnation) return;
        if (heard.incarnation === incarnation && heard.version > version) return;
        broker.heard.set(name, { incarnation, version });
        if (isDeleted) broker.views.delete(name);
        else broker.views.set(name, { facts, topic });
        this.changed();
      };
      if (isKnownAtOnce) hear();
      else this.scheduler.after(this.chance.between(0, this.gossipMs), hear);
    }
  }

  #moveAway(id: number): void {
    const { isUp, isHung } = this.#broker(id);
    if (isUp && !isHung) return;
    this.onBrokerGone(id);
    for (const partition of this.partitions())
      if (partition.leader === id) this.electOther(partition);
  }

  #broker(id: number): Broker {
    const broker = this.#brokers.get(id);
    if (!broker) throw new Error(`there is no broker ${id}`);
    return broker;
  }
}
