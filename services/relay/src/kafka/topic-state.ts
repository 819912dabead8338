import { describeConfigs, type TopicDirectory } from '@outbound/kafka';
import type { ActualTopic } from '@outbound/contract';
import type { KafkaLog } from '@outbound/service-kit';
import { RelayError, toRelayError } from '../errors.ts';

/**
 * The named topics that exist, as they are, in the order of the names. Where the settings may not be read, they are left out and a
 * warning says so: the partition count is known all the same.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED.
 */
export async function readTopics(
  directory: TopicDirectory,
  topics: readonly string[],
  log: KafkaLog,
): Promise<ActualTopic[]> {
  const existing = topics.flatMap((topic) => directory.summary(topic) ?? []);
  if (existing.length === 0) return [];
  const configs = new Map<string, Readonly<Record<string, string>>>();
  const names = existing.map(({ topic }) => topic);
  for (const found of await describeConfigs(directory.cluster, names)) {
    const { topic, error } = found;
    if (!error) {
      configs.set(topic, Object.fromEntries(found.configs));
      continue;
    }
    if (error.code !== 'KAFKA_FORBIDDEN') throw error;
    const { code, message } = toRelayError(error);
    log.warn(
      { component: 'kafka', topic, code },
      `${message}: they are not checked; allow DESCRIBE_CONFIGS on the topic to have them checked`,
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
