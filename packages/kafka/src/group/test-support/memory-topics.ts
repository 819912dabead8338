import { KafkaError } from '../../kafka-error.ts';
import type { TopicLog } from '../../ports/topic-log.ts';

/** Topics by name, without their records. */
export class MemoryTopics implements TopicLog {
  readonly topicsByName = new Map<string, { topicId: string; ends: bigint[] }>();
  isAway = false;
  /** Questions that are asked now are never answered. */
  isSilent = false;
  /** Codes instead of a description, by topic. */
  readonly codes = new Map<string, number>();
  /** Partitions without a leader. */
  readonly leaderless = new Set<string>();

  create(topic: string, topicId: string, ends: readonly bigint[]): void {
    this.topicsByName.set(topic, { topicId, ends: [...ends] });
  }

  async topics(names: readonly string[]): ReturnType<TopicLog['topics']> {
    await this.#answer();
    return names.map((topic) => {
      const code = this.codes.get(topic);
      const known = code === undefined ? this.topicsByName.get(topic) : undefined;
      return {
        topic,
        topicId: known?.topicId,
        errorCode: known ? 0 : (code ?? 3),
        partitions: (known?.ends ?? []).map((_, partition) => ({
          partition,
          leader: this.leaderless.has(`${topic}/${partition}`) ? -1 : 1,
          leaderEpoch: 0,
          replicas: [1],
        })),
      };
    });
  }

  async offsets(
    ...[, partitions, at]: Parameters<TopicLog['offsets']>
  ): ReturnType<TopicLog['offsets']> {
    await this.#answer();
    return partitions.map(({ topic, partition }) => {
      const end = this.topicsByName.get(topic)?.ends[partition];
      return {
        topic,
        partition,
        errorCode: end === undefined ? 3 : 0,
        offset: at === 'earliest' ? 0n : (end ?? -1n),
      };
    });
  }

  async fetch(): Promise<never> {
    await this.#answer();
    throw new Error('a group member does not fetch');
  }

  async #answer(): Promise<void> {
    await Promise.resolve();
    if (this.isSilent) await new Promise<never>(() => undefined);
    if (this.isAway) throw new KafkaError('KAFKA_UNAVAILABLE', 'no broker answers');
  }
}
