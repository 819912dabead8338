import { Cluster, readPartition, TopicDirectory } from '@outbound/kafka';
import {
  deadLetterOf,
  partitionOf,
  type DeadLetter,
  type DeadLetterTopics,
} from '@outbound/contract';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';

/** Hands over letters in the order of the topic, in bundles; their payloads live until the bundle is done with. */
export type ReadLetters = (
  aggregateIds: Iterable<string>,
  each: (letters: readonly DeadLetter[]) => void | Promise<void>,
) => Promise<void>;

/**
 * Reads the partitions of the dead-letter topic that the letters of these aggregates are in, whole, over connections
 * of its own. What is fetched goes when the bundle is done with.
 * @throws KafkaError as `readPartition`, and what `each` throws.
 */
export function letterReader({
  connection,
  log,
  topics,
}: {
  readonly connection: KafkaConnection;
  readonly log: KafkaLog;
  readonly topics: DeadLetterTopics;
}): ReadLetters {
  const { topic, partitions } = topics.deadLetters;
  return async (aggregateIds, each) => {
    const wanted = new Set(Array.from(aggregateIds, (id) => partitionOf(id, partitions)));
    const directory = new TopicDirectory(new Cluster(connection, log), [topic]);
    try {
      await directory.refresh();
      for (const partition of wanted)
        await readPartition(
          directory.cluster,
          directory.leaderOf(topic, partition),
          { topic, partition },
          async (records) =>
            each(records.flatMap(({ headers, value }) => deadLetterOf(headers, value) ?? [])),
        );
    } finally {
      directory.cluster.close();
    }
  };
}
