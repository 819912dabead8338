import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { metadataApi, type ClusterDescription, type TopicChoice } from '../apis/metadata-api.ts';
import { BrokerLink } from '../connection/broker-link.ts';
import { loadKafkajs } from '../connection/kafkajs-internals.ts';
import { KafkaError } from '../kafka-error.ts';
import { firstAnswer } from './first-answer.ts';
import { LinkSet } from './link-set.ts';

/** The brokers of a cluster as last heard, and the connections to them. Creates no topic (trap 3.2-13). */
export class Cluster {
  readonly #connection: KafkaConnection;
  readonly #log: KafkaLog;
  readonly #sets = new Set<LinkSet>();
  readonly #questions: LinkSet;
  readonly #addresses = new Map<number, string>();
  #isClosed = false;

  /** Connects to nobody yet. @throws KafkaError KAFKAJS_VERSION */
  constructor(connection: KafkaConnection, log: KafkaLog) {
    loadKafkajs();
    this.#connection = connection;
    this.#log = log;
    this.#questions = this.linkSet();
  }

  get brokerCount(): number {
    return this.#addresses.size;
  }

  /**
   * Connections apart from those for questions; they end with the cluster, or before by `close`. @throws KafkaError KAFKA_UNAVAILABLE after `close`.
   */
  linkSet(): LinkSet {
    if (this.#isClosed) throw new KafkaError('KAFKA_UNAVAILABLE', 'this session is closed');
    const links = new LinkSet((address) => new BrokerLink(address, this.#connection, this.#log));
    this.#sets.add(links);
    return links;
  }

  /** Ends a set's connections and forgets it. */
  closeLinks(links: LinkSet): void {
    links.close();
    this.#sets.delete(links);
  }

  /** The connection to a broker. @throws KafkaError KAFKA_UNAVAILABLE if the cluster has not named it. */
  link(nodeId: number, links: LinkSet = this.#questions): BrokerLink {
    const address = this.#addresses.get(nodeId);
    if (address === undefined)
      throw new KafkaError('KAFKA_UNAVAILABLE', `no broker with node id ${nodeId} is known`);
    return links.to(address);
  }

  /** A connection to a broker that answered last time, if there is one. */
  anyLink(): BrokerLink {
    const [link] = this.#candidates();
    if (!link) throw new KafkaError('KAFKA_UNAVAILABLE', 'no broker is known');
    return link;
  }

  /**
   * Describes the cluster and these topics, as whichever broker answers first knows them, and remembers who the brokers are. Kafka's codes stay in it.
   * @throws KafkaError KAFKA_UNAVAILABLE if no broker answers, KAFKA_AUTH_FAILED if one refuses us.
   */
  async describe(topics: TopicChoice): Promise<ClusterDescription> {
    const description = await this.askAnyone(async (link) => {
      const answer = await link.request(metadataApi, topics);
      if (answer.brokers.length === 0)
        throw new KafkaError(
          'KAFKA_UNAVAILABLE',
          `broker ${link.address}: it has just started and knows nobody yet`,
        );
      return answer;
    });
    this.#addresses.clear();
    for (const { nodeId, host, port } of description.brokers)
      this.#addresses.set(nodeId, brokerAddress(host, port));
    const current = new Set(this.#addresses.values());
    for (const links of this.#sets) links.retain(current);
    return description;
  }

  /** The first answer of any broker to one question; see `firstAnswer`. */
  async askAnyone<Answer>(ask: (link: BrokerLink) => Promise<Answer>): Promise<Answer> {
    return firstAnswer(this.#candidates(), ask);
  }

  /** Ends every connection at once, and makes no other. */
  close(): void {
    this.#isClosed = true;
    for (const links of this.#sets) links.close();
    this.#sets.clear();
  }

  /** Brokers to ask, those first that have not failed, then those whose failure is longest ago. */
  #candidates(): BrokerLink[] {
    const addresses = new Set([...this.#addresses.values(), ...this.#connection.brokers]);
    return Array.from(addresses, (address) => this.#questions.to(address)).sort(
      (a, b) => (a.failedAtMs ?? 0) - (b.failedAtMs ?? 0),
    );
  }
}

/** `host:port`, an IPv6 address in brackets. */
export function brokerAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
