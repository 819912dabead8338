import type { TopicPartition } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { PartitionTaken } from '../dead-letters/parked-keys.ts';
import type { Life } from './life.ts';

export interface KeyFreerOptions {
  readonly release: (at: TopicPartition, key: string) => Promise<void>;
  /** Makes the partition's keys ours to write. */
  readonly own: (at: TopicPartition) => Promise<void>;
  readonly sessionTimeoutMs: number;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Frees keys of partitions that are ours. The store refuses that to whoever has not said last that the partition is his, and the last one may have been a member of before, which was late
 * and is gone. So a partition that is still ours a whole session later, in the same life, is made ours once more: within that session the group has said that it is, after the
 * refusal.
 */
export class KeyFreer {
  readonly #options: KeyFreerOptions;
  readonly #refusedMs = new WeakMap<Life, number>();

  constructor(options: KeyFreerOptions) {
    this.#options = options;
  }

  /** **Order**: while nothing else of the partition runs, and it is ours. @throws what the store throws; asked anew, it goes on. */
  async free(at: TopicPartition, key: string, life: Life): Promise<void> {
    const { release, own, sessionTimeoutMs, clock } = this.#options;
    try {
      await release(at, key);
      this.#refusedMs.delete(life);
    } catch (error) {
      if (!(error instanceof PartitionTaken)) throw error;
      const sinceMs = this.#refusedMs.get(life);
      if (sinceMs === undefined) this.#refusedMs.set(life, clock.nowMs());
      if (sinceMs === undefined || clock.nowMs() - sinceMs <= sessionTimeoutMs || life.isEnding)
        throw error;
      await own(at);
      await release(at, key);
      this.#refusedMs.delete(life);
    }
  }
}
