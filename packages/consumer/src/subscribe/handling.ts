import type { TopicPartition } from '@outbound/kafka';
import { Attempts } from './attempts.ts';
import { Committer, type SendCommit } from './committer.ts';
import { Delivery, type DeliveryCounts } from './delivery.ts';
import { Dispatcher } from './dispatcher.ts';
import type { FetchPort } from './dispatcher-options.ts';
import { defaultRetry } from './handler.ts';
import { KeyFreer } from './key-freer.ts';
import { PoisonDesk } from './poison-desk.ts';
import { Redriver } from './redriver.ts';
import type { GroupOptions } from './subscribe-options.ts';
import type { SubscriptionCounts } from './subscription.ts';
import type { SubscriptionPorts } from './subscription-ports.ts';
import type { TopicHandling } from './topic-handling.ts';
import { defaultWaitingLimits } from './waiting-limits.ts';

/** The half of a subscription that knows no Kafka: from fetched records to handlers, dead letters and the positions to commit. */
export class Handling {
  readonly dispatcher: Dispatcher;
  readonly #committer: Committer;
  readonly #attempts: Attempts;
  readonly #desk: PoisonDesk;
  readonly #redriver: Redriver | undefined;
  readonly #counts: DeliveryCounts = { handled: 0, ignored: 0, versionGaps: 0 };

  constructor(parts: {
    readonly ports: SubscriptionPorts;
    readonly options: GroupOptions;
    readonly topics: readonly TopicHandling[];
    readonly fetch: FetchPort;
    readonly commit: SendCommit;
    readonly mayHandle: (partition: TopicPartition) => boolean;
    /** The id of the topic that our positions are of. */
    readonly topicId: (topic: string) => string | undefined;
    /** How many partitions it has. */
    readonly partitionsOf: (topic: string) => number | undefined;
    /** The subscription has to end with this. */
    readonly onFailure: (error: unknown) => void;
    /** Ends every wait. */
    readonly over: AbortSignal;
  }) {
    const { options, topics, onFailure, over } = parts;
    const { clock, random, deadLetters } = parts.ports;
    const { groupId, log, onPoison = { then: 'stop' } } = options;
    const common = { clock, over, log };
    this.#desk = new PoisonDesk({
      ...common,
      group: groupId,
      policy: onPoison,
      sender: deadLetters,
      topicId: parts.topicId,
    });
    this.#attempts = new Attempts({
      ...common,
      random,
      retry: { ...defaultRetry, ...options.retry },
      limitMs: options.handlerTimeoutMs ?? 300_000,
      onLate: onFailure,
    });
    this.#committer = new Committer({
      ...common,
      intervalMs: options.commitIntervalMs ?? 500,
      send: parts.commit,
      isOurs: (work) => this.dispatcher.isOurs(work),
      ours: () => this.dispatcher.works,
      onRefused: onFailure,
    });
    const deliveries = new Map(
      topics.map((handling) => [
        handling.topic,
        new Delivery({
          handling,
          attempts: this.#attempts,
          desk: this.#desk,
          onVersionGap: options.onVersionGap,
          counts: this.#counts,
          log,
        }),
      ]),
    );
    this.dispatcher = new Dispatcher({
      ...common,
      topics: new Map(
        topics.flatMap(({ topic, batch }) => {
          const deliver = deliveries.get(topic);
          return deliver ? [[topic, { batch, deliver }]] : [];
        }),
      ),
      prepare: async (at) => this.#desk.load(at),
      fetch: parts.fetch,
      committer: this.#committer,
      mayHandle: parts.mayHandle,
      concurrency: options.concurrency ?? 16,
      limits: { ...defaultWaitingLimits, ...options.maxWaiting },
      onFailure,
    });
    const { redrive } = parts.ports;
    const freer = new KeyFreer({
      release: (at, key) => this.#desk.release(at, key),
      own: (at) => this.#desk.load(at),
      sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000,
      clock,
    });
    this.#redriver =
      redrive &&
      new Redriver({
        ...{ group: groupId, port: redrive, clock, log },
        find: (at) => this.dispatcher.find(at),
        partitionsOf: parts.partitionsOf,
        alone: (at, task) => this.dispatcher.alone(at, task),
        isPaused: (at) => this.dispatcher.isPausedFor(at),
        deliver: (letter, life) =>
          deliveries.get(letter.topic)?.letter(letter.record, life) ?? Promise.resolve('given-up'),
        release: (at, key, life) => freer.free(at, key, life),
      });
  }

  /** Does what people want to be done with dead letters, until the signal. */
  async redrive(signal: AbortSignal): Promise<void> {
    await this.#redriver?.run(signal);
  }

  get counts(): Omit<SubscriptionCounts, 'rebalances' | 'losses' | 'gaps'> {
    return {
      ...this.#counts,
      finished: this.dispatcher.finished,
      retried: this.#attempts.retried,
      deadLetters: this.#desk.deadLetters,
      parked: this.#desk.parked,
      commits: this.#committer.commits,
    };
  }
}
