import type { Cluster } from '../cluster/cluster.ts';
import type { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';

interface ConfigsAnswer {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly errorMessage: string | null;
    readonly resourceName: string;
    readonly configEntries: readonly { configName: string; configValue: string | null }[];
  }[];
}

/** The effective settings of a topic, defaults included, or why they may not be read. */
export interface TopicConfigs {
  readonly topic: string;
  /** Without those that are secret. */
  readonly configs: ReadonlyMap<string, string>;
  readonly error: KafkaError | undefined;
}

const topicResource = 2;

/**
 * The settings of each topic, as any broker knows them.
 * @param names only these; a broker leaves out what it does not know. Without it all.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED
 */
export async function describeConfigs(
  cluster: Cluster,
  topics: readonly string[],
  names: readonly string[] = [],
): Promise<TopicConfigs[]> {
  if (topics.length === 0) return [];
  const { resources } = await cluster.askOne('DescribeConfigs', (link) =>
    link.ask<ConfigsAnswer>('DescribeConfigs', {
      resources: topics.map((topic) => ({
        type: topicResource,
        name: topic,
        configNames: [...names],
      })),
      includeSynonyms: false,
    }),
  );
  return resources.map(({ resourceName, errorCode, errorMessage, configEntries }) => ({
    topic: resourceName,
    configs: new Map(
      configEntries.flatMap(({ configName, configValue }): [string, string][] =>
        configValue === null ? [] : [[configName, configValue]],
      ),
    ),
    error:
      errorCode === 0
        ? undefined
        : errorFromCode(errorCode, `settings of topic ${resourceName}`, errorMessage),
  }));
}
