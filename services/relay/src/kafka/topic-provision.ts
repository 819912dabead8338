import { Cluster, errorFromCode, KafkaError, TopicDirectory } from '@outbound/kafka';
import {
  planTopics,
  type DeclaredTopic,
  type TopicPlan,
  type TopicToCreate,
} from '@outbound/schemas';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { toRelayError } from '../errors.ts';
import { readTopics } from './topic-state.ts';

interface CreateAnswer {
  readonly topicErrors: readonly {
    readonly topic: string;
    readonly errorCode: number;
    readonly errorMessage: string | null;
  }[];
}

const topicAlreadyExists = 36;

/**
 * Creates the topics that are missing and reports how the others differ; never alters one. Two runs at once are harmless.
 * @throws RelayError SINK_UNAVAILABLE, SINK_AUTH_FAILED; SINK_REJECTED with the broker's reason if it won't create a topic.
 */
export async function provisionTopics(
  connection: KafkaConnection,
  declared: readonly DeclaredTopic[],
  log: KafkaLog,
): Promise<TopicPlan> {
  const topics = declared.map(({ topic }) => topic);
  const cluster = new Cluster(connection, log);
  const directory = new TopicDirectory(cluster, topics);
  try {
    await directory.refresh();
    const actual = await readTopics(directory, topics, log);
    const plan = planTopics(declared, actual, cluster.brokerCount);
    if (plan.create.length > 0) await createTopics(directory, plan.create);
    return plan;
  } catch (thrown) {
    throw toRelayError(thrown);
  } finally {
    cluster.close();
  }
}

async function createTopics(
  directory: TopicDirectory,
  topics: readonly TopicToCreate[],
): Promise<void> {
  // Any broker passes it on to the controller.
  const { topicErrors } = await directory.cluster.anyLink().ask<CreateAnswer>('CreateTopics', {
    topics: topics.map(({ topic, partitions, replicationFactor, configs }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
    })),
    validateOnly: false,
    timeout: 15_000,
  });
  const failures = topicErrors.filter(
    ({ errorCode }) => errorCode !== 0 && errorCode !== topicAlreadyExists,
  );
  const [first] = failures;
  if (!first) return;
  const error = errorFromCode(first.errorCode, `topic ${first.topic}`, first.errorMessage);
  throw new KafkaError(
    error.code,
    failures
      .map(
        ({ topic, errorCode, errorMessage }) =>
          errorFromCode(errorCode, `topic ${topic}`, errorMessage).message,
      )
      .join('; '),
  );
}
