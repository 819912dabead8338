import type { Committer } from './committer.ts';
import type { GroupMemberOptions } from './group-member-options.ts';
import type { Held, HeldPartitions } from './held-partitions.ts';
import { startPartitions } from './starter.ts';
import type { TopicWatch } from './topic-watch.ts';

export interface StartsParts {
  readonly options: GroupMemberOptions;
  readonly held: HeldPartitions;
  readonly watch: TopicWatch;
  readonly committer: Committer;
  readonly over: AbortSignal;
  /** How many rebalances there were. */
  readonly rebalances: () => number;
  readonly onFailed: (error: unknown) => void;
}

/** The partitions that are looking for where they begin, beside everything else that a member does. */
export class Starts {
  readonly #parts: StartsParts;
  readonly #running = new Set<Promise<void>>();

  constructor(parts: StartsParts) {
    this.#parts = parts;
  }

  /** Tells the owner of each as soon as its position is known and committed. */
  begin(lives: readonly Held[]): void {
    if (lives.length === 0) return;
    const { options, held, watch, committer, over, onFailed } = this.#parts;
    const starting = startPartitions(
      {
        ...options,
        held,
        view: watch.view,
        committer,
        onFacts: (facts) => watch.learn(facts),
        onUncommitted: (partitions) => {
          // Only the first share of a static member may be an old one.
          if (options.groupInstanceId !== undefined && this.#parts.rebalances() === 1)
            watch.doubt(partitions.filter((each) => !held.get(each)));
        },
        onStarted: (started) =>
          options.onAssigned(
            started.map(
              ([
                {
                  topic,
                  partition,
                  mark: { topicId },
                },
                offset,
              ]) => ({
                ...{ topic, partition, offset, topicId },
              }),
            ),
          ),
        onRemark: (sentence) => options.logger.warn({}, sentence),
        onWaiting: ({ message }) =>
          options.logger.warn({}, `where partitions begin can not be found yet: ${message}`),
      },
      lives,
      over,
    )
      .catch(onFailed)
      .finally(() => this.#running.delete(starting));
    this.#running.add(starting);
  }

  /** Resolves when nobody is looking any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
