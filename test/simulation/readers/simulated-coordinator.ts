import {
  partitionKey,
  type CommitAnswer,
  type CommitEntry,
  type CommittedOffset,
  type MemberIdentity,
  type TopicPartition,
} from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import type { Scheduler } from '../scheduler.ts';
import { kafkaCode } from './kafka-codes.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import { SimulatedGroup } from './simulated-group.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

/** A commit that the coordinator has taken. */
export interface TakenCommit {
  readonly reader: string;
  readonly member: MemberIdentity;
  readonly partition: SimulatedPartition;
  readonly offset: number;
}

/** The broker that coordinates the group, for now, and the offsets, which outlive it. */
export class SimulatedCoordinator {
  readonly group: SimulatedGroup;
  onCommitted: (commit: TakenCommit) => void = () => undefined;
  readonly #cluster: SimulatedCluster;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #trace: (what: string) => void;
  readonly #offsets = new Map<string, { readonly offset: bigint; readonly metadata: string }>();
  /** Whom each broker takes for the coordinator. */
  readonly #known = new Map<number, number>();
  #broker: number;
  #isLoading = false;
  #isMoving = false;

  constructor(
    cluster: SimulatedCluster,
    chance: Chance,
    options: { readonly initialDelayMs: number; readonly trace: (what: string) => void },
  ) {
    this.#cluster = cluster;
    this.#scheduler = cluster.scheduler;
    this.#chance = chance;
    this.#trace = options.trace;
    this.#broker = chance.pick(cluster.brokerIds);
    for (const id of cluster.brokerIds) this.#known.set(id, this.#broker);
    this.group = new SimulatedGroup({
      scheduler: cluster.scheduler,
      chance,
      trace: options.trace,
      isFrozen: () => cluster.isHung(this.#broker),
      initialDelayMs: options.initialDelayMs,
    });
  }

  get broker(): number {
    return this.#broker;
  }

  /** Whom a broker names when it is asked for the coordinator; undefined: it does not know one that is there. */
  knownBy(broker: number): number | undefined {
    const known = this.#known.get(broker);
    return known !== undefined && this.#cluster.isUp(known) ? known : undefined;
  }

  /** Kafka's code if this broker does not answer for the group now. */
  refusal(broker: number): number {
    if (broker !== this.#broker || this.#isMoving) return kafkaCode.notCoordinator;
    return this.#isLoading ? kafkaCode.coordinatorLoading : kafkaCode.none;
  }

  /** The group gets another coordinator, or the same anew. */
  move(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    this.group.unload();
    this.#scheduler.after(this.#chance.between(0, 1500), () => this.#settle());
  }

  /** A broker is gone. */
  brokerGone(broker: number): void {
    if (broker === this.#broker) this.move();
  }

  /** The offsets of a topic go with it. */
  topicDeleted(topic: string): void {
    for (const key of [...this.#offsets.keys()])
      if (key.startsWith(`${topic}/`)) this.#offsets.delete(key);
  }

  commit(
    reader: string,
    member: MemberIdentity,
    entries: readonly CommitEntry[],
  ): readonly CommitAnswer[] {
    const errorCode = this.group.mayCommit(member);
    return entries.map(({ topic, partition, offset, metadata }) => {
      const seen = this.#cluster.seenBy(this.#broker, { topic, partition });
      // A position of an earlier topic of this name, by what the member has written beside it.
      const topicId = /(?:^|;)t=([^;]+)/.exec(metadata)?.[1];
      const meant = topicId === undefined ? seen : this.#cluster.byId(topicId, partition);
      if (errorCode !== 0) return { topic, partition, errorCode };
      if (!seen) return { topic, partition, errorCode: kafkaCode.unknownTopicOrPartition };
      this.#offsets.set(partitionKey({ topic, partition }), { offset, metadata });
      this.#trace(`${reader} has committed ${partitionKey({ topic, partition })} at ${offset}`);
      if (meant) this.onCommitted({ reader, member, partition: meant, offset: Number(offset) });
      return { topic, partition, errorCode: 0 };
    });
  }

  committed(partitions: readonly TopicPartition[], errorCode: number): readonly CommittedOffset[] {
    return partitions.map(({ topic, partition }) => {
      const stored = this.#offsets.get(partitionKey({ topic, partition }));
      return {
        topic,
        partition,
        errorCode,
        offset: errorCode === 0 && stored ? stored.offset : -1n,
        metadata: stored?.metadata ?? '',
      };
    });
  }

  /** Where the group goes on in a partition; undefined where it has committed nothing. */
  offsetOf(at: TopicPartition): number | undefined {
    const stored = this.#offsets.get(partitionKey(at));
    return stored && Number(stored.offset);
  }

  #settle(): void {
    const living = this.#cluster.brokerIds.filter(
      (id) => this.#cluster.isUp(id) && !this.#cluster.isHung(id),
    );
    if (living.length === 0) {
      this.#scheduler.after(200, () => this.#settle());
      return;
    }
    const broker = this.#chance.pick(living);
    this.#broker = broker;
    this.#isMoving = false;
    this.#isLoading = true;
    this.#trace(`the group is coordinated by broker ${broker}`);
    for (const id of this.#cluster.brokerIds)
      this.#scheduler.after(this.#chance.between(0, this.#cluster.gossipMs), () =>
        this.#known.set(id, this.#broker),
      );
    this.#scheduler.after(this.#chance.between(0, 600), () => {
      if (this.#broker !== broker || this.#isMoving) return;
      this.#isLoading = false;
      this.group.load();
    });
  }
}
