/** A partition as the cluster last described it. */
export interface PartitionFacts {
  readonly partition: number;
  /** Node id; −1: it has no leader now. */
  readonly leader: number;
  /** Counts the leaders; −1 where the broker does not say. */
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
}

/** A topic as the cluster last described it. */
export interface TopicFacts {
  readonly topic: string;
  /**
   * Another one for a topic of the same name that was deleted and made again; undefined where the broker is too old to say (before Kafka 2.8).
   */
  readonly topicId: string | undefined;
  /** Kafka's code; 0 is fine, 3 (UNKNOWN_TOPIC_OR_PARTITION) is a topic that the asked broker does not know, or not any more, or not yet. */
  readonly errorCode: number;
  /** By number, without gaps; empty with an error. */
  readonly partitions: readonly PartitionFacts[];
}
