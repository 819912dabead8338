import { errorFromCode, kafkaCode, type TopicDirectory } from '@outbound/kafka';
import type { ActualTopic } from '@outbound/schemas';
import type { KafkaLog } from '@outbound/service-kit';
import { RelayError } from '../errors.ts';

interface ConfigsAnswer {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly errorMessage: string | null;
    readonly resourceName: string;
    readonly configEntries: readonly { configName: string; configValue: string | null }[];
  }[];
}

const topicResource = 2;

/**
 * The named topics that exist, as they are, in the order of the names. Where the settings may not be read, they are left out and a
 * warning says so: the partition count is known all the same.
 * @throws RelayError SINK_UNAVAILABLE, SINK_AUTH_FAILED.
 */
export async function readTopics(
  directory: TopicDirectory,
  topics: readonly string[],
  log: KafkaLog,
): Promise<ActualTopic[]> {
  const existing = topics.flatMap((topic) => directory.summary(topic) ?? []);
  if (existing.length === 0) return [];
  const { resources } = await directory.cluster.anyLink().ask<ConfigsAnswer>('DescribeConfigs', {
    resources: existing.map(({ topic }) => ({ type: topicResource, name: topic, configNames: [] })),
    includeSynonyms: false,
  });
  const configs = new Map<string, Record<string, string>>();
  for (const { resourceName, errorCode, errorMessage, configEntries } of resources) {
    if (errorCode === 0) {
      configs.set(
        resourceName,
        Object.fromEntries(
          configEntries.flatMap(({ configName, configValue }) =>
            configValue === null ? [] : [[configName, configValue]],
          ),
        ),
      );
      continue;
    }
    const error = errorFromCode(errorCode, `settings of topic ${resourceName}`, errorMessage);
    if (kafkaCode(errorCode).means !== 'KAFKA_FORBIDDEN') throw error;
    log.warn(
      { component: 'kafka', topic: resourceName, code: error.code },
      `${error.message}: they are not checked; allow DESCRIBE_CONFIGS on the topic to have them checked`,
    );
  }
  return existing.map((summary) => ({ ...summary, configs: configs.get(summary.topic) }));
}

/** One sentence for all breaking differences. @throws RelayError SINK_TOPIC_MISMATCH if there is one. */
export function refuseBreaking(
  drift: readonly {
    topic: string;
    field: string;
    actual: string;
    declared: string;
    breaking: boolean;
  }[],
): void {
  const breaking = drift.filter((field) => field.breaking);
  if (breaking.length === 0) return;
  throw new RelayError(
    'SINK_TOPIC_MISMATCH',
    breaking
      .map(
        ({ topic, field, actual, declared }) =>
          `topic ${topic} has ${field} ${actual}, declared is ${declared}`,
      )
      .join('; '),
  );
}
