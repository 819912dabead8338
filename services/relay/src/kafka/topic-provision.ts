import { Cluster, createTopics, TopicDirectory } from '@outbound/kafka';
import { planTopics, type DeclaredTopic, type TopicPlan } from '@outbound/contract';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { toRelayError } from '../errors.ts';
import { readTopics } from './topic-state.ts';

/** What was done, and what differs. */
export interface ProvisionedTopics extends TopicPlan {
  /** Declared settings that this cluster is too old to know, by topic: these topics were made without them. */
  readonly leftOut: ReadonlyMap<string, readonly string[]>;
}

/**
 * Creates the topics that are missing and reports how the others differ; never alters one. Two runs at once are harmless.
 * @throws RelayError SINK_UNAVAILABLE, SINK_AUTH_FAILED; SINK_REJECTED with the broker's reason if it won't create a topic.
 */
export async function provisionTopics(
  connection: KafkaConnection,
  declared: readonly DeclaredTopic[],
  log: KafkaLog,
): Promise<ProvisionedTopics> {
  const topics = declared.map(({ topic }) => topic);
  const cluster = new Cluster(connection, log);
  const directory = new TopicDirectory(cluster, topics);
  try {
    await directory.refresh();
    const actual = await readTopics(directory, topics, log);
    const plan = planTopics(declared, actual, cluster.brokerCount);
    const created = await createTopics(cluster, plan.create);
    const leftOut = created.filter(({ unknownConfigs }) => unknownConfigs.length > 0);
    return {
      ...plan,
      leftOut: new Map(leftOut.map(({ topic, unknownConfigs }) => [topic, unknownConfigs])),
    };
  } catch (thrown) {
    throw toRelayError(thrown);
  } finally {
    cluster.close();
  }
}
