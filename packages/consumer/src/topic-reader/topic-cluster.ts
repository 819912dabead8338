import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { Kafka } from 'kafkajs';
import { ConsumerError } from '../errors.ts';
import { createKafkaClient } from '../kafka-client.ts';
import { decodeFetchAnswer, fetchVersion, type FetchAnswer } from './fetch-answer.ts';
import { partitionKey, type PartitionRange } from './topic-record.ts';

interface Connection {
  readonly socket?: { destroy(): void };
  rejectRequests(error: Error): void;
}

/** The part of kafkajs' inner Cluster that is used: connections, TLS, SASL, and who leads what. */
interface Cluster {
  readonly brokerPool: {
    readonly seedBroker?: Broker;
    readonly brokers: Readonly<Record<string, Broker>>;
  };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  removeBroker(address: { host: string; port: number }): void;
  findBroker(broker: { nodeId: number }): Promise<Broker>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
  fetchTopicsOffset(
    topics: { topic: string; fromBeginning: boolean; partitions: { partition: number }[] }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
}

interface Broker {
  readonly connectionPool: {
    readonly host: string;
    readonly port: number;
    readonly pool: readonly Connection[];
    send(protocol: object): Promise<unknown>;
  };
  disconnect(): Promise<void>;
}

type FetchRequest = (args: object) => { readonly request: object };

/** Offset from which a partition is asked for. */
export interface FetchPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

const readCommitted = 1;
const leaderWaitMs = 10_000;
/** A live reader is answered as soon as there is a record; without one, this often. */
const maxWaitTime = 500;
/** Bounds of an answer, and so of memory: per broker one answer is worked on while one is on its way. Larger records still come whole. */
const answerBytes = 8 * 1024 * 1024;
const partitionBytes = 1024 * 1024;

/**
 * Reads partitions directly from their leaders, without a consumer group: no join, no rebalance, no session that ends while a batch is
 * worked on, nothing committed and nothing left behind in the cluster. kafkajs has this only in its inside, which is touched here alone.
 */
export class TopicCluster {
  readonly #cluster: Cluster;
  readonly #topics: readonly string[];
  readonly #fetchRequest: FetchRequest;

  private constructor(cluster: Cluster, topics: readonly string[], fetchRequest: FetchRequest) {
    this.#cluster = cluster;
    this.#topics = topics;
    this.#fetchRequest = fetchRequest;
  }

  /** @throws ConsumerError TOPIC_MISSING for a topic that does not exist, KAFKAJS_VERSION; kafkajs' error if no broker answers. */
  static async open(
    connection: KafkaConnection,
    topics: readonly string[],
    log: KafkaLog,
  ): Promise<TopicCluster> {
    const load: (path: string) => unknown = createRequire(import.meta.url);
    const { protocol } = (
      load('kafkajs/src/protocol/requests') as {
        requests: {
          readonly Fetch: { readonly protocol: (options: { version: number }) => FetchRequest };
        };
      }
    ).requests.Fetch;
    const cluster = innerCluster(createKafkaClient(connection, log));
    try {
      await cluster.connect();
      for (const topic of topics) {
        try {
          await cluster.addTargetTopic(topic);
        } catch (cause) {
          if ((cause as { type?: unknown }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw cause;
          throw new ConsumerError(
            'TOPIC_MISSING',
            `there is no topic ${topic} at ${connection.brokers.join(', ')}: check its name and the topic prefix, or create it`,
            { cause },
          );
        }
      }
      return new TopicCluster(cluster, topics, protocol({ version: fetchVersion }));
    } catch (thrown) {
      await cluster.disconnect();
      throw thrown;
    }
  }

  /** What each partition holds now. Leaders that are on the move (a topic that was just made, a broker that just stopped) are waited for, 10 s at the most. */
  async ranges(): Promise<PartitionRange[]> {
    const deadline = performance.now() + leaderWaitMs;
    for (;;) {
      try {
        return await this.#ranges();
      } catch (thrown) {
        const isPassing = (thrown as { retriable?: unknown }).retriable === true;
        if (!isPassing || performance.now() > deadline) throw thrown;
        await delay(200);
        // Its failure is the next round's.
        await this.#cluster.refreshMetadata().catch(() => undefined);
      }
    }
  }

  async #ranges(): Promise<PartitionRange[]> {
    const ask = async (fromBeginning: boolean) => {
      const answer = await this.#cluster.fetchTopicsOffset(
        this.#topics.map((topic) => ({
          topic,
          fromBeginning,
          partitions: this.#cluster
            .findTopicPartitionMetadata(topic)
            .map(({ partitionId }) => ({ partition: partitionId })),
        })),
      );
      return answer.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
      );
    };
    // First the beginnings: retention may move one past an end that was asked before.
    const lows = new Map((await ask(true)).map((each) => [partitionKey(each), each.offset]));
    const ends = await ask(false);
    return ends
      .map(({ topic, partition, offset }) => ({
        topic,
        partition,
        low: lows.get(partitionKey({ topic, partition })) ?? 0n,
        high: offset,
      }))
      .sort((a, b) =>
        a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
      );
  }

  /** Node id of the partition's leader as last heard; −1 where there is none. */
  leaderOf({ topic, partition }: { topic: string; partition: number }): number {
    return (
      this.#cluster
        .findTopicPartitionMetadata(topic)
        .find(({ partitionId }) => partitionId === partition)?.leader ?? -1
    );
  }

  partitionCount(topic: string): number {
    return this.#cluster.findTopicPartitionMetadata(topic).length;
  }

  async refresh(): Promise<void> {
    await this.#cluster.refreshMetadata();
  }

  /** Records from these positions on, committed ones only. After any failure the connection is made anew, and `refresh` is due. */
  async fetch(nodeId: number, positions: readonly FetchPosition[]): Promise<FetchAnswer> {
    const broker = await this.#cluster.findBroker({ nodeId });
    const { request } = this.#fetchRequest({
      replicaId: -1,
      isolationLevel: readCommitted,
      maxWaitTime,
      minBytes: 1,
      maxBytes: answerBytes,
      topics: rotated(positions).map(({ topic, partition, offset }) => ({
        topic,
        partitions: [{ partition, fetchOffset: offset.toString(), maxBytes: partitionBytes }],
      })),
    });
    try {
      return (await broker.connectionPool.send({
        request,
        response: {
          decode: (payload: Buffer) => Promise.resolve(decodeFetchAnswer(payload)),
          parse: (answer: FetchAnswer) => Promise.resolve(answer),
        },
      })) as FetchAnswer;
    } catch (thrown) {
      this.#cluster.removeBroker(broker.connectionPool);
      await broker.disconnect();
      throw thrown;
    }
  }

  /** Ends at once: kafkajs by itself would wait for the answers that are due, of a broker that hangs for its whole request timeout. */
  async close(): Promise<void> {
    const { brokers, seedBroker } = this.#cluster.brokerPool;
    const reason = new Error('reading has ended');
    for (const broker of [...Object.values(brokers), ...(seedBroker ? [seedBroker] : [])])
      for (const connection of broker.connectionPool.pool) {
        connection.rejectRequests(reason);
        connection.socket?.destroy();
      }
    await this.#cluster.disconnect();
  }
}

/** A broker fills its answer in the order of the request: without turns, the first partitions would be read to their end first. */
function rotated(positions: readonly FetchPosition[]): readonly FetchPosition[] {
  const start = Math.floor(Math.random() * positions.length);
  return [...positions.slice(start), ...positions.slice(0, start)];
}

function innerCluster(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = (kafka as unknown as Record<symbol, unknown>)[symbol ?? Symbol('none')];
  if (typeof create !== 'function')
    throw new ConsumerError(
      'KAFKAJS_VERSION',
      'kafkajs hides its cluster in another place than 2.2.4 did: install the version of the lock file',
    );
  return (create as (options: object) => Cluster)({
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    isolationLevel: readCommitted,
    maxInFlightRequests: null,
    instrumentationEmitter: null,
  });
}
