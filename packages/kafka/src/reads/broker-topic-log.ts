import { fetchApi } from '../apis/fetch-api.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { LinkSet } from '../cluster/link-set.ts';
import { zstdReady } from '../fetch/codecs/zstd.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode, unknownTopicOrPartition } from '../kafka-errors.ts';
import type { TopicPartition } from '../ports/partition.ts';
import type { TopicFacts } from '../ports/topic-facts.ts';
import type {
  FetchedPartition,
  FetchRequest,
  OffsetAnswer,
  OffsetAt,
  TopicLog,
} from '../ports/topic-log.ts';
import { listOffsets } from './list-offsets.ts';

/**
 * The first batch of an answer comes whole, whatever `maxBytes` says; one that is larger than this does not fit into
 * the memory that a reader should need.
 */
const largestBatchBytes = 256 * 1024 * 1024;

/**
 * The real `TopicLog`. Fetches have connections of their own: a broker holds them back, and with them all that comes
 * after on the same connection.
 */
export class BrokerTopicLog implements TopicLog {
  readonly #cluster: Cluster;
  readonly #fetchLinks: LinkSet;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#fetchLinks = cluster.linkSet();
  }

  async topics(names: readonly string[]): Promise<readonly TopicFacts[]> {
    if (names.length === 0) return [];
    const { topics } = await this.#cluster.describe(names);
    const byName = new Map(topics.map((facts) => [facts.topic, facts]));
    return names.map(
      (topic) =>
        byName.get(topic) ?? {
          topic,
          topicId: undefined,
          errorCode: unknownTopicOrPartition,
          partitions: [],
        },
    );
  }

  async offsets(
    nodeId: number,
    partitions: readonly TopicPartition[],
    at: OffsetAt,
  ): Promise<readonly OffsetAnswer[]> {
    return listOffsets(this.#cluster.link(nodeId), partitions, at);
  }

  async fetch(nodeId: number, request: FetchRequest): Promise<readonly FetchedPartition[]> {
    const [{ errorCode, partitions, throttleMs }] = await Promise.all([
      this.#cluster
        .link(nodeId, this.#fetchLinks)
        .request(
          fetchApi(request.positions),
          { ...request, isolation: 'committed' },
          { heldBackMs: request.maxWaitMs, maxAnswerBytes: request.maxBytes + largestBatchBytes },
        ),
      // Whoever decodes the answer cannot wait.
      zstdReady(),
    ]);
    if (errorCode !== 0) throw errorFromCode(errorCode, `fetching from broker ${nodeId}`);
    // Every partition has an entry, except where a quota speaks: then the connection sends nothing until the throttle
    // is over.
    if (partitions.length === 0 && throttleMs <= 0)
      throw new KafkaError(
        'KAFKA_UNAVAILABLE',
        `broker ${nodeId} has answered a fetch with nothing`,
      );
    return partitions;
  }

  /** Ends the connections for fetches; call it where the cluster lives on. */
  close(): void {
    this.#cluster.closeLinks(this.#fetchLinks);
  }
}
