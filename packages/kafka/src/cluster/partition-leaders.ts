import type { TopicFacts } from '../ports/topic-facts.ts';

interface Leader {
  readonly nodeId: number;
  readonly epoch: number;
}

/**
 * Who leads the partitions of one topic, from descriptions each of which may be old: a partition's leader epoch only
 * rises, so that a broker which is behind takes nothing back, and a topic has as many partitions as the largest
 * number told. Both count anew when the topic is another one of that name (another id). Source: KIP-320; Java's
 * Metadata.updateLatestMetadata takes a description in by the same rule. No input or output.
 */
export class PartitionLeaders {
  readonly #leaders = new Map<number, Leader>();
  #topicId: string | undefined;

  get partitions(): number {
    return this.#leaders.size;
  }

  /** Node id; −1: none, or none is known. */
  of(partition: number): number {
    return this.#leaders.get(partition)?.nodeId ?? -1;
  }

  /** @param facts a description without an error. */
  learn({ topicId, partitions }: TopicFacts): void {
    if (topicId !== undefined && this.#topicId !== undefined && topicId !== this.#topicId)
      this.#leaders.clear();
    this.#topicId = topicId ?? this.#topicId;
    // Where no broker has ids, fewer partitions are the only sign of another topic.
    if (topicId === undefined && partitions.length < this.#leaders.size) this.#leaders.clear();
    for (const { partition, leader, leaderEpoch } of partitions) {
      const known = this.#leaders.get(partition);
      if (known && leaderEpoch >= 0 && leaderEpoch < known.epoch) continue;
      this.#leaders.set(partition, {
        nodeId: leader,
        epoch: Math.max(leaderEpoch, known?.epoch ?? -1),
      });
    }
  }
}
