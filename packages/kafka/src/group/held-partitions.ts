import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import type { CommitMark } from './start-position.ts';

/**
 * One life of a partition with us: from the rebalance that gave it until it is given up or lost. Who keeps a
 * reference can tell whether that life is still the present one. `starting` until its position is known and its owner
 * has been told of it; `revoking` while its owner drains it.
 */
export interface Held extends TopicPartition {
  phase: 'starting' | 'running' | 'revoking';
  /** What the group has, as far as this life knows; −1: nothing. */
  committed: bigint;
  mark: CommitMark;
}

/** What a new assignment means for what we have. */
export interface Taken {
  readonly added: readonly Held[];
  /** Its owner has it: to be drained before it is given up. */
  readonly revoked: readonly Held[];
  /** Something that we said we have is not ours any more: we have to join again, so that its next owner gets it. */
  readonly mustRejoin: boolean;
}

/** What is ours, and since which generation. No input or output. */
export class HeldPartitions {
  readonly #held = new Map<string, Held>();
  #generation = -1;
  #claimed: readonly TopicPartition[] = [];

  get size(): number {
    return this.#held.size;
  }

  get(partition: TopicPartition): Held | undefined {
    return this.#held.get(partitionKey(partition));
  }

  /** Is that life the present one? */
  has(held: Held): boolean {
    return this.get(held) === held;
  }

  all(): Held[] {
    return [...this.#held.values()];
  }

  /** What we tell the leader that we have, and go on with. */
  claim(): { readonly owned: readonly TopicPartition[]; readonly generation: number } {
    this.#claimed = this.all();
    return { owned: this.#claimed, generation: this.#generation };
  }

  /**
   * Takes over what the leader gave us. What was only starting is given up at once; what is revoked stays ours until
   * `giveUp`.
   */
  take(assigned: readonly TopicPartition[], generation: number): Taken {
    this.#generation = generation;
    const wanted = new Map(assigned.map((one) => [partitionKey(one), one]));
    const mustRejoin = this.#claimed.some((one) => !wanted.has(partitionKey(one)));
    const revoked: Held[] = [];
    for (const [key, held] of this.#held)
      if (!wanted.has(key))
        if (held.phase === 'starting') this.#held.delete(key);
        else {
          held.phase = 'revoking';
          revoked.push(held);
        }
    const added: Held[] = [];
    for (const [key, { topic, partition }] of wanted)
      if (!this.#held.has(key)) {
        const mark = { topicId: undefined, partitionsAtBegin: undefined };
        const held: Held = { topic, partition, phase: 'starting', committed: -1n, mark };
        this.#held.set(key, held);
        added.push(held);
      }
    return { added, revoked, mustRejoin };
  }

  /** Ends these lives. @returns those that their owner knew of. */
  giveUp(lives: readonly Held[]): Held[] {
    const known: Held[] = [];
    for (const held of lives)
      if (this.has(held)) {
        this.#held.delete(partitionKey(held));
        if (held.phase !== 'starting') known.push(held);
      }
    return known;
  }
}

/** By name only, for those outside. */
export function names(lives: readonly Held[]): TopicPartition[] {
  return lives.map(({ topic, partition }) => ({ topic, partition }));
}
