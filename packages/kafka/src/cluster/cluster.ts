import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { metadataApi, type ClusterDescription, type TopicChoice } from '../apis/metadata-api.ts';
import { BrokerLink } from '../connection/broker-link.ts';
import { loadKafkajs } from '../connection/kafkajs-internals.ts';
import { KafkaError } from '../kafka-error.ts';
import { askMajority } from './ask-majority.ts';
import { AskOrder } from './ask-order.ts';
import { firstAnswer } from './first-answer.ts';
import { KnownBrokers } from './known-brokers.ts';
import { LinkSet } from './link-set.ts';
import { TopicVotes } from './topic-votes.ts';

/**
 * The brokers of a cluster as heard of so far, and the connections to them. What any broker can be asked goes to each
 * in turn (`AskOrder`): no one of them is believed for long. Creates no topic (trap 3.2-13).
 */
export class Cluster {
  readonly #connection: KafkaConnection;
  readonly #log: KafkaLog;
  readonly #sets = new Set<LinkSet>();
  readonly #questions: LinkSet;
  readonly #known = new KnownBrokers();
  readonly #order = new AskOrder();
  readonly #votes = new TopicVotes();
  #isClosed = false;

  /** Connects to nobody yet. @throws KafkaError KAFKAJS_VERSION */
  constructor(connection: KafkaConnection, log: KafkaLog) {
    loadKafkajs();
    this.#connection = connection;
    this.#log = log;
    this.#questions = this.linkSet();
  }

  /** As many as the last description of the cluster named. */
  get brokerCount(): number {
    return this.#known.count;
  }

  /**
   * Connections apart from those for questions; they end with the cluster, or before by `close`. @throws KafkaError
   * KAFKA_UNAVAILABLE after `close`.
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
    const address = this.#known.addressOf(nodeId);
    if (address === undefined)
      throw new KafkaError('KAFKA_UNAVAILABLE', `no broker with node id ${nodeId} is known`);
    return links.to(address);
  }

  /**
   * Describes the cluster, as whichever broker answers first knows it, and remembers who the brokers are. Which topic
   * has a name, and whether any has, is news that a majority of them must agree on (`askMajority`); of `all` topics
   * one broker tells. Kafka's codes stay in it.
   * @throws KafkaError KAFKA_UNAVAILABLE if no broker answers, KAFKA_AUTH_FAILED if one refuses us.
   */
  async describe(topics: TopicChoice): Promise<ClusterDescription> {
    const { voter, ...description } = await this.askAnyone('Metadata', async (link) => ({
      voter: link.address,
      ...(await describedBy(link, topics)),
    }));
    this.#learn(description.brokers);
    if (topics === 'all' || topics.length === 0) return description;
    const known = new Set(this.#known.addresses());
    const links = this.#inOrder('Metadata').filter(({ address }) => known.has(address));
    const election = {
      names: topics,
      first: { voter, topics: description.topics },
      voters: links.map(({ address }) => address),
      ask: async (address: string) => {
        const link = this.#questions.to(address);
        this.#order.note('Metadata', link);
        return (await describedBy(link, topics)).topics;
      },
    };
    return { ...description, topics: await askMajority(election, this.#votes) };
  }

  /** The first answer of any broker to a question of this kind; see `firstAnswer` and `AskOrder`. */
  async askAnyone<Answer>(
    kind: string,
    ask: (link: BrokerLink) => Promise<Answer>,
  ): Promise<Answer> {
    return firstAnswer(this.#inOrder(kind), async (link) => {
      this.#order.note(kind, link);
      return ask(link);
    });
  }

  /**
   * Asks one broker, once: for what must not be done twice. Whoever asks again asks another one.
   * @throws what the question throws.
   */
  async askOne<Answer>(kind: string, ask: (link: BrokerLink) => Promise<Answer>): Promise<Answer> {
    const [link] = this.#inOrder(kind);
    if (!link) throw new KafkaError('KAFKA_UNAVAILABLE', 'no broker is known');
    this.#order.note(kind, link);
    return ask(link);
  }

  /** Ends every connection at once, and makes no other. */
  close(): void {
    this.#isClosed = true;
    for (const links of this.#sets) links.close();
    this.#sets.clear();
  }

  #learn(brokers: ClusterDescription['brokers']): void {
    this.#known.learn(brokers, (address) => this.#questions.to(address).failedAtMs !== undefined);
    const current = this.#addresses();
    for (const links of this.#sets) links.retain(current);
  }

  #inOrder(kind: string): BrokerLink[] {
    const links = Array.from(this.#addresses(), (address) => this.#questions.to(address));
    return this.#order.inOrder(kind, links, performance.now());
  }

  /** Those that were configured stay: the ones that are known may all be cut off from the rest. */
  #addresses(): Set<string> {
    return new Set([...this.#known.addresses(), ...this.#connection.brokers]);
  }
}

async function describedBy(link: BrokerLink, topics: TopicChoice): Promise<ClusterDescription> {
  const answer = await link.request(metadataApi, topics);
  if (answer.brokers.length > 0) return answer;
  throw new KafkaError(
    'KAFKA_UNAVAILABLE',
    `broker ${link.address}: it has just started and knows nobody yet`,
  );
}
