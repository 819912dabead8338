import type { ClusterDescription } from '../apis/metadata-api.ts';
import { errorFromCode, kafkaCode, unknownTopicOrPartition } from '../kafka-errors.ts';
import type { Cluster } from './cluster.ts';
import { PartitionLeaders } from './partition-leaders.ts';

/** A topic as the cluster last described it. */
export interface TopicSummary {
  readonly topic: string;
  readonly partitions: number;
  /** Copies of each partition, the fewest there are. */
  readonly replicationFactor: number;
}

/**
 * Who leads what of some topics, by the newest that was heard of each partition (`PartitionLeaders`). A partition
 * without a leader does not keep the others from being known, as it does in kafkajs' own metadata.
 */
export class TopicDirectory {
  readonly cluster: Cluster;
  readonly #topics: readonly string[];
  readonly #leaders = new Map<string, PartitionLeaders>();
  readonly #summaries = new Map<string, TopicSummary>();
  readonly #unknownSinceMs = new Map<string, number>();
  #refreshing: Promise<void> | undefined;

  constructor(cluster: Cluster, topics: readonly string[]) {
    this.cluster = cluster;
    this.#topics = topics;
  }

  /** Node id of the leader; −1 where there is none, or none is known. */
  leaderOf(topic: string, partition: number): number {
    return this.#leaders.get(topic)?.of(partition) ?? -1;
  }

  /** The topic, or undefined if the cluster says that there is none. */
  summary(topic: string): TopicSummary | undefined {
    return this.#summaries.get(topic);
  }

  /**
   * For how long the cluster has been saying that there is no such topic, in milliseconds; undefined if it knows it.
   */
  unknownForMs(topic: string): number | undefined {
    const since = this.#unknownSinceMs.get(topic);
    return since === undefined ? undefined : performance.now() - since;
  }

  /**
   * Asks the cluster anew; calls at the same time share one question.
   * @throws KafkaError KAFKA_UNAVAILABLE if no broker answers, KAFKA_AUTH_FAILED if one refuses us, KAFKA_FORBIDDEN
   * with the topic that we may not see.
   */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.cluster
      .describe(this.#topics)
      .then((description) => this.#take(description))
      .finally(() => {
        this.#refreshing = undefined;
      });
    await this.#refreshing;
  }

  #take({ topics }: ClusterDescription): void {
    for (const facts of topics) {
      const { topic, errorCode, partitions } = facts;
      if (errorCode === unknownTopicOrPartition) {
        if (!this.#unknownSinceMs.has(topic)) this.#unknownSinceMs.set(topic, performance.now());
        this.#summaries.delete(topic);
        continue;
      }
      if (errorCode !== 0 && kafkaCode(errorCode).means === 'KAFKA_FORBIDDEN')
        throw errorFromCode(errorCode, `topic ${topic}`);
      if (partitions.length === 0) continue;
      this.#unknownSinceMs.delete(topic);
      const leaders = this.#leaders.get(topic) ?? new PartitionLeaders();
      this.#leaders.set(topic, leaders);
      leaders.learn(facts);
      const replicationFactor = Math.min(...partitions.map(({ replicas }) => replicas.length));
      this.#summaries.set(topic, { topic, partitions: leaders.partitions, replicationFactor });
    }
  }
}
