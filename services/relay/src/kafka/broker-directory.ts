import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { RelayError, toRelayError } from '../errors.ts';
import { errorFromCode, kafkaCode, unknownTopicOrPartition } from './kafka-errors.ts';
import { BrokerLink } from './broker-link.ts';
import { laneKey } from './publisher.ts';

interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly {
      readonly partitionId: number;
      readonly leader: number;
      readonly replicas: readonly number[];
    }[];
  }[];
}

/** A topic as the cluster last described it. */
export interface TopicSummary {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** Another broker is asked when one has not answered for this long. */
const hedgeMs = 1000;

/**
 * Which brokers there are and which of them leads what, as last heard. Asks for the named topics only and never creates one
 * (trap 3.2-13). A partition without a leader does not keep the others from being known, as it does in kafkajs' own metadata.
 */
export class BrokerDirectory {
  readonly #connection: KafkaConnection;
  readonly #topics: readonly string[];
  readonly #log: KafkaLog;
  readonly #links = new Map<string, BrokerLink>();
  readonly #addresses = new Map<number, string>();
  readonly #leaders = new Map<string, number>();
  readonly #summaries = new Map<string, TopicSummary>();
  readonly #unknownSinceMs = new Map<string, number>();
  #refreshing: Promise<void> | undefined;
  #isClosed = false;

  constructor(connection: KafkaConnection, topics: readonly string[], log: KafkaLog) {
    this.#connection = connection;
    this.#topics = topics;
    this.#log = log;
  }

  get brokerCount(): number {
    return this.#addresses.size;
  }

  /** Node id of the leader; −1 where there is none, or none is known. */
  leaderOf(topic: string, partition: number): number {
    return this.#leaders.get(laneKey(topic, partition)) ?? -1;
  }

  /** The topic, or undefined if the cluster says that there is none. */
  summary(topic: string): TopicSummary | undefined {
    return this.#summaries.get(topic);
  }

  /** For how long the cluster has been saying that there is no such topic, in milliseconds; undefined if it knows it. */
  unknownForMs(topic: string): number | undefined {
    const since = this.#unknownSinceMs.get(topic);
    return since === undefined ? undefined : performance.now() - since;
  }

  /** The connection to a broker. @throws RelayError SINK_UNAVAILABLE if the cluster has not named it. */
  link(nodeId: number): BrokerLink {
    const address = this.#addresses.get(nodeId);
    if (address === undefined)
      throw new RelayError('SINK_UNAVAILABLE', `no broker with node id ${nodeId} is known`);
    return this.#linkTo(address);
  }

  /** A connection to a broker that answered last time, if there is one. */
  anyLink(): BrokerLink {
    const [link] = this.#candidates();
    if (!link) throw new RelayError('SINK_UNAVAILABLE', 'no broker is known');
    return link;
  }

  /**
   * Asks the cluster anew; calls at the same time share one question.
   * @throws RelayError SINK_UNAVAILABLE if no broker answers, SINK_AUTH_FAILED if one refuses us.
   */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** Ends every connection at once, and makes no other: nothing may be sent for a session that is over. */
  close(): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  async #refresh(): Promise<void> {
    this.#take(await firstAnswer(this.#candidates(), (link) => this.#ask(link)));
  }

  async #ask(link: BrokerLink): Promise<MetadataAnswer> {
    return link.ask<MetadataAnswer>('Metadata', {
      topics: this.#topics,
      allowAutoTopicCreation: false,
    });
  }

  #take({ brokers, topicMetadata }: MetadataAnswer): void {
    // A broker that has just started may know nobody yet; what was known before is better.
    if (brokers.length === 0) return;
    this.#addresses.clear();
    for (const { nodeId, host, port } of brokers)
      this.#addresses.set(nodeId, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
    const current = new Set(this.#addresses.values());
    for (const [address, link] of this.#links) {
      if (current.has(address)) continue;
      link.close();
      this.#links.delete(address);
    }
    for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
      if (topicErrorCode === unknownTopicOrPartition) {
        if (!this.#unknownSinceMs.has(topic)) this.#unknownSinceMs.set(topic, performance.now());
        this.#summaries.delete(topic);
        continue;
      }
      const { means } = kafkaCode(topicErrorCode);
      if (topicErrorCode !== 0 && means === 'SINK_AUTH_FAILED')
        throw errorFromCode(topicErrorCode, `topic ${topic}`);
      if (partitionMetadata.length === 0) continue;
      this.#unknownSinceMs.delete(topic);
      let replicationFactor = Infinity;
      for (const { partitionId, leader, replicas } of partitionMetadata) {
        this.#leaders.set(laneKey(topic, partitionId), leader);
        replicationFactor = Math.min(replicationFactor, replicas.length);
      }
      this.#summaries.set(topic, {
        topic,
        partitions: partitionMetadata.length,
        replicationFactor,
      });
    }
  }

  /** Brokers to ask, those first that have not failed, then those whose failure is longest ago. */
  #candidates(): BrokerLink[] {
    const addresses = new Set([...this.#addresses.values(), ...this.#connection.brokers]);
    return Array.from(addresses, (address) => this.#linkTo(address)).sort(
      (a, b) => (a.failedAtMs ?? 0) - (b.failedAtMs ?? 0),
    );
  }

  #linkTo(address: string): BrokerLink {
    if (this.#isClosed)
      throw new RelayError('SINK_UNAVAILABLE', `broker ${address}: this session is closed`);
    let link = this.#links.get(address);
    if (!link) {
      link = new BrokerLink(address, this.#connection, this.#log);
      this.#links.set(address, link);
    }
    return link;
  }
}

/** The first answer of any of the brokers. Each next one is asked when the one before failed or has been silent for `hedgeMs`. */
async function firstAnswer<Answer>(
  links: readonly BrokerLink[],
  ask: (link: BrokerLink) => Promise<Answer>,
): Promise<Answer> {
  const answered = new AbortController();
  const failures: RelayError[] = [];
  try {
    let before: Promise<unknown> = Promise.resolve();
    const attempts = links.map(async (link, index) => {
      const previous = before;
      let done: () => void = () => undefined;
      before = new Promise<void>((resolve) => (done = resolve));
      try {
        if (index > 0)
          await Promise.race([
            previous,
            delay(hedgeMs * index, undefined, { signal: answered.signal, ref: false }),
          ]);
        if (answered.signal.aborted) throw new RelayError('SINK_UNAVAILABLE', 'not asked');
        return await ask(link);
      } catch (thrown) {
        failures.push(toRelayError(thrown));
        done();
        throw thrown;
      }
    });
    return await Promise.any(attempts);
  } catch {
    const refused = failures.find(({ code }) => code !== 'SINK_UNAVAILABLE');
    throw (
      refused ??
      new RelayError(
        'SINK_UNAVAILABLE',
        `no broker answers: ${[...new Set(failures.map(({ message }) => message))].join('; ')}`,
        { cause: failures[0] },
      )
    );
  } finally {
    answered.abort();
  }
}
