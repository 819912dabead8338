import { Kafka, logLevel, type Admin } from 'kafkajs';
import { eventually } from '../../support/eventually.ts';

/** One partition as the brokers see it. */
export interface PartitionState {
  readonly partition: number;
  /** −1: none. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

/** New replicas by partition; the first is the preferred leader. */
export type Reassignment = ReadonlyMap<number, readonly number[]>;

const patience = { timeoutMs: 180_000, intervalMs: 150 };

const topicConfigs = {
  // Writing goes on with a broker away.
  'min.insync.replicas': '1',
  // When a record is there for readers is what pauses are measured from, not when its producer had it.
  'message.timestamp.type': 'LogAppendTime',
};

/** What the harness asks of the brokers about one topic, again and again while brokers come and go. */
export class TopicAdmin {
  readonly topic: string;
  readonly #admin: Admin;

  private constructor(topic: string, admin: Admin) {
    this.topic = topic;
    this.#admin = admin;
  }

  static async connect(bootstrap: readonly string[], topic: string): Promise<TopicAdmin> {
    const admin = new Kafka({
      brokers: [...bootstrap],
      clientId: 'nemesis',
      logLevel: logLevel.NOTHING,
      requestTimeout: 10_000,
    }).admin();
    await eventually(async () => {
      await admin.connect();
      return true;
    }, patience);
    return new TopicAdmin(topic, admin);
  }

  /** Makes the topic, its leaders spread over the brokers. */
  async create(
    assignment: Reassignment,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#admin.createTopics({
      // Not by kafkajs, which fails when it asks a broker that has not heard of the topic.
      waitForLeaders: false,
      topics: [
        {
          topic: this.topic,
          replicaAssignment: [...assignment].map(([partition, replicas]) => ({
            partition,
            replicas: [...replicas],
          })),
          configEntries: Object.entries({ ...topicConfigs, ...configs }).map(([name, value]) => ({
            name,
            value,
          })),
        },
      ],
    });
    await this.healed();
  }

  async delete(): Promise<void> {
    await eventually(async () => {
      await this.#admin.deleteTopics({ topics: [this.topic] });
      return true;
    }, patience);
  }

  async partitions(): Promise<PartitionState[]> {
    return eventually(async () => {
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [this.topic] });
      return topics[0]?.partitions.map(({ partitionId, leader, replicas, isr }) => ({
        partition: partitionId,
        leader,
        replicas,
        isr,
      }));
    }, patience);
  }

  /** Resolves when every partition has these replicas, all of them in sync, and a leader among them. */
  async reassign(wanted: Reassignment): Promise<void> {
    await eventually(async () => {
      await this.#admin.alterPartitionReassignments({
        topics: [
          {
            topic: this.topic,
            partitionAssignment: [...wanted].map(([partition, replicas]) => ({
              partition,
              replicas: [...replicas],
            })),
          },
        ],
      });
      return true;
    }, patience);
    await this.#until(({ partition, leader, replicas, isr }) => {
      const target = wanted.get(partition);
      if (!target) return true;
      return (
        replicas.join() === target.join() &&
        target.every((node) => isr.includes(node)) &&
        target.includes(leader)
      );
    });
  }

  /** Resolves when every replica is in sync. */
  async healed(): Promise<void> {
    await this.#until(({ leader, replicas, isr }) => leader >= 0 && isr.length === replicas.length);
  }

  /** The group's committed offset of each partition. */
  async committed(group: string): Promise<Map<number, number>> {
    const [stored] = await this.#admin.fetchOffsets({ groupId: group, topics: [this.topic] });
    return new Map(stored?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
  }

  async #until(isDone: (state: PartitionState) => boolean): Promise<void> {
    await eventually(async () => (await this.partitions()).every(isDone), patience);
  }
}
