import {
  Fetcher,
  GroupMember,
  partitionKey,
  type MemberState,
  type TopicPartition,
} from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import type { Dispatcher } from './dispatcher.ts';
import { GoneTopics } from './gone-topics.ts';
import { isTopicThere } from './require-topics.ts';
import { Handling } from './handling.ts';
import type { PartitionLag } from './lag.ts';
import { LostPositions } from './lost-positions.ts';
import type { GroupOptions } from './subscribe-options.ts';
import type { Subscription, SubscriptionCounts, SubscriptionState } from './subscription.ts';
import { crashError, notOurs, ofGroup, stopTimeout, topicMissing } from './subscription-errors.ts';
import type { SubscriptionPorts } from './subscription-ports.ts';
import type { TopicHandling } from './topic-handling.ts';
import { WaitWatch } from './wait-watch.ts';
import { within } from './within.ts';
import { askedLag, seenLag } from './work-lag.ts';

/** Beyond what handlers may take: commits and the leaving, while Kafka may be away. */
const leaveLimitMs = 30_000;
/** A question to a broker and what follows from its answer. */
const memberLooksWithinMs = 2_000;

/** A subscription of a group: wires the member, the fetcher and the handling of what they bring, and ends them together. */
export class GroupSubscription implements Subscription {
  readonly done: Promise<void>;
  readonly #ports: SubscriptionPorts;
  readonly #options: GroupOptions;
  readonly #log: KafkaLog;
  readonly #rebalanceTimeoutMs: number;
  readonly #stopTimeoutMs: number;
  readonly #handling: Handling;
  readonly #dispatcher: Dispatcher;
  readonly #member: GroupMember;
  readonly #fetcher: Fetcher;
  readonly #waits: WaitWatch;
  readonly #goneTopics: GoneTopics;
  readonly #lostPositions: LostPositions;
  /** Ends the fetching. */
  readonly #fetchOver = new AbortController();
  /** Has the member leave. */
  readonly #leaving = new AbortController();
  /** Ends every wait of ours. */
  readonly #over = new AbortController();
  #runs: Promise<unknown> = Promise.resolve();
  #resolveDone: () => void = () => undefined;
  #rejectDone: (error: unknown) => void = () => undefined;
  #memberState: MemberState = 'joining';
  #abandonedAtStop = 0;
  /** Nobody awaits the stop: what it would throw is told by `done`. */
  #isStoppedBySignal = false;
  #failure: { readonly error: unknown } | undefined;
  #stopping: Promise<void> | undefined;
  #isEnded = false;

  constructor(ports: SubscriptionPorts, options: GroupOptions, topics: readonly TopicHandling[]) {
    const { kafka, clock, random } = ports;
    const { groupId, log, rebalanceTimeoutMs = 60_000, sessionTimeoutMs = 30_000 } = options;
    this.#ports = ports;
    this.#options = options;
    this.#log = log;
    this.#rebalanceTimeoutMs = rebalanceTimeoutMs;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 30_000;
    this.done = new Promise((resolve, reject) => {
      this.#resolveDone = resolve;
      this.#rejectDone = reject;
    });
    const over = this.#over.signal;
    this.#waits = new WaitWatch({ clock, log, over });
    this.#goneTopics = new GoneTopics({
      clock,
      limitMs: options.topicGoneLimitMs ?? 60_000,
      isThere: async (topic) => isTopicThere(kafka.log, topic),
      onFound: () => this.#member.lookAtTopics(),
      onLimit: (topic) => this.#fail(topicMissing(topic)),
    });
    this.#handling = new Handling({
      ports,
      options,
      topics,
      fetch: {
        pause: (partitions) => this.#fetcher.pause(partitions),
        resume: (partitions) => this.#fetcher.resume(partitions),
      },
      commit: async (positions, mayLower) => {
        if (mayLower) await this.#member.restartAt(positions);
        else await this.#member.commit(positions);
      },
      mayHandle: (partition) => this.#member.isOurs(partition),
      topicId: (topic) => this.#member.topicId(topic),
      partitionsOf: (topic) => this.#member.partitionsOf(topic),
      onFailure: (error) => this.#fail(error),
      over,
    });
    this.#dispatcher = this.#handling.dispatcher;
    this.#lostPositions = new LostPositions({
      dispatcher: this.#dispatcher,
      fetchFrom: (at, offset) => this.#fetchFrom(at, offset),
      lookAtTopics: () => this.#member.lookAtTopics(),
      limitMs: rebalanceTimeoutMs / 2,
      onFailure: (error) => this.#fail(error),
      log,
    });
    this.#fetcher = new Fetcher({
      log: kafka.log,
      clock,
      random,
      onRecords: (fetched) => {
        this.#waits.end(partitionKey(fetched));
        this.#topicIsThere(fetched.topic);
        this.#dispatcher.take(fetched);
      },
      onOutOfRange: (partition, range) => this.#lostPositions.lost(partition, range),
      onTopicChanged: (topic, change) => {
        if (change.kind === 'gone') this.#topicIsGone(topic);
        else this.#topicIsThere(topic);
        if (change.kind === 'made-again')
          this.#topicIsAnother(topic, change.topicId).catch((error: unknown) => this.#fail(error));
        // The member decides what it means, and tells it.
        this.#member.lookAtTopics();
      },
      onWaiting: (partition, why) => this.#waits.begin(partitionKey(partition), why),
      onFailed: (error) => this.#fail(error),
      logger: log,
    });
    this.#member = new GroupMember({
      coordinator: kafka.group(groupId),
      log: kafka.log,
      clock,
      random,
      topics: topics.map(({ topic }) => topic),
      startAt: options.from ?? 'beginning',
      groupInstanceId: options.groupInstanceId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      // Members hear of a rebalance by their heartbeats, twice where partitions move, and those are nobody's until all have heard.
      heartbeatMs: Math.min(1_000, Math.floor(sessionTimeoutMs / 4)),
      onAssigned: (partitions) => {
        for (const each of partitions) this.#dispatcher.assign(each);
        this.#fetcher.assign(partitions);
      },
      onRevoked: async (partitions) => this.#revoked(partitions),
      onLost: (partitions) => {
        this.#letGo(partitions);
        this.#dispatcher.lose(partitions);
      },
      onState: (state) => {
        this.#memberState = state;
        if (state === 'waiting') this.#waits.begin('the group', 'its coordinator does not answer');
        else this.#waits.end('the group');
      },
      onTopicChanged: ({ topic, what }) => {
        if (what === 'gone') this.#topicIsGone(topic);
        else this.#topicIsThere(topic);
      },
      onFailed: (error) => this.#fail(ofGroup(groupId, error)),
      logger: log,
    });
  }

  /** Begins to join. */
  start(): void {
    const run = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        this.#fail(crashError(this.#options.groupId, error));
      }
    };
    this.#runs = Promise.all([
      run(this.#fetcher.run(this.#fetchOver.signal)),
      run(this.#member.run(this.#leaving.signal)),
      run(this.#handling.redrive(this.#fetchOver.signal)),
    ]);
    const { signal } = this.#options;
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get state(): SubscriptionState {
    if (this.#isEnded) return 'ended';
    if (this.#stopping) return 'stopping';
    if (this.#waits.isWaiting) return 'waiting';
    if (this.#memberState === 'joining') return 'joining';
    return this.#dispatcher.isPaused ? 'paused' : 'running';
  }

  get partitions(): readonly TopicPartition[] {
    return this.#dispatcher.works.map(({ topic, partition }) => ({ topic, partition }));
  }

  get counts(): SubscriptionCounts {
    const { rebalances, losses } = this.#member.facts;
    return { ...this.#handling.counts, rebalances, losses, gaps: this.#lostPositions.gaps };
  }

  pause(partitions?: readonly TopicPartition[]): void {
    this.#dispatcher.pause(partitions);
  }

  resume(partitions?: readonly TopicPartition[]): void {
    this.#dispatcher.resume(partitions);
  }

  async seek({ topic, partition }: TopicPartition, offset: bigint): Promise<void> {
    const at = { topic, partition };
    for (;;) {
      const work = this.#dispatcher.find(at);
      if (!work || this.#stopping) throw notOurs(at);
      if (await this.#dispatcher.restart(work, offset, this.#rebalanceTimeoutMs / 2)) {
        this.#fetchFrom(at, offset);
        return;
      }
      if (this.#dispatcher.isOurs(work)) throw notOurs(at);
    }
  }

  async lag(): Promise<readonly PartitionLag[]> {
    const { kafka, clock } = this.#ports;
    return askedLag(kafka.log, () => this.#dispatcher.works, clock);
  }

  lagSeen(): readonly PartitionLag[] {
    return seenLag(this.#dispatcher.works, this.#ports.clock);
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  readonly #onAbort = (): void => {
    this.#isStoppedBySignal = this.#stopping === undefined;
    this.#stopUnawaited();
  };

  /** What the stop throws, `done` and the log say too. */
  #stopUnawaited(): void {
    this.stop().catch(() => undefined);
  }

  async #stop(): Promise<void> {
    const { clock } = this.#ports;
    const beganMs = clock.nowMs();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#dispatcher.close();
    this.#fetchOver.abort();
    this.#goneTopics.close();
    // The member has what runs end and be committed (`onRevoked`), and leaves.
    this.#leaving.abort();
    const limitMs = this.#stopTimeoutMs + leaveLimitMs;
    if (!(await within(clock, limitMs, this.#runs)))
      this.#log.warn({ durationMs: limitMs }, 'the group was not left in order');
    // Those of partitions that were lost, too: the caller may take what they use away.
    const leftMs = Math.max(0, beganMs + this.#stopTimeoutMs - clock.nowMs());
    const abandoned = Math.max(this.#abandonedAtStop, await this.#dispatcher.quiet(leftMs));
    this.#over.abort();
    try {
      await within(clock, leaveLimitMs, this.#close());
    } catch (error) {
      this.#log.warn({ error }, 'closing failed');
    }
    this.#isEnded = true;
    const { groupId } = this.#options;
    const late = abandoned > 0 ? stopTimeout(groupId, abandoned, this.#stopTimeoutMs) : undefined;
    if (late) this.#log.error({ error: late }, 'handlers did not end before the stop');
    if (this.#failure) this.#rejectDone(this.#failure.error);
    else if (late && this.#isStoppedBySignal) this.#rejectDone(late);
    else this.#resolveDone();
    if (late && !this.#failure) throw late;
  }

  async #close(): Promise<void> {
    await this.#ports.close?.();
  }

  /** Ends loudly: what runs may finish and is committed, then `done` rejects. */
  #fail(error: unknown): void {
    // Closed at once: after a failed event no later one of its key may be begun.
    this.#dispatcher.close();
    if (this.#failure || this.#isEnded) return;
    this.#failure = { error };
    this.#log.error({ error }, 'the subscription ends');
    this.#stopUnawaited();
  }

  async #revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.#letGo(partitions);
    const limitMs = this.#stopping ? this.#stopTimeoutMs : this.#rebalanceTimeoutMs / 2;
    const abandoned = await this.#dispatcher.revoke(partitions, limitMs);
    if (this.#stopping) this.#abandonedAtStop += abandoned;
    else if (abandoned > 0)
      this.#log.warn(
        { durationMs: limitMs, abandoned },
        'handlers did not end before their partitions went: their events are delivered again, perhaps while they still run',
      );
  }

  /** Nothing more of them is fetched. */
  #letGo(partitions: readonly TopicPartition[]): void {
    this.#fetcher.revoke(partitions);
    for (const each of partitions) this.#waits.end(partitionKey(each));
  }

  /** A new life of the partition has begun at this offset. */
  #fetchFrom(at: TopicPartition, offset: bigint): void {
    this.#fetcher.seek({ ...at, offset });
    // The old life may have been held back; this one has nothing yet.
    this.#fetcher.resume([at]);
  }

  /** The fetcher lets the partitions of the old topic stand. What the member still gives us when it has looked, too, is of the new one, and goes on. */
  async #topicIsAnother(topic: string, topicId: string | undefined): Promise<void> {
    await this.#ports.clock.sleep(memberLooksWithinMs, this.#over.signal);
    if (topicId === undefined || this.#member.topicId(topic) !== topicId) return;
    for (const each of this.#dispatcher.works) {
      const offset = each.topic === topic ? this.#fetcher.position(each) : undefined;
      if (offset !== undefined) this.#fetcher.seek({ topic, partition: each.partition, offset });
    }
  }

  #topicIsGone(topic: string): void {
    this.#goneTopics.gone(topic);
    this.#waits.begin(`topic ${topic}`, 'it was deleted');
  }

  #topicIsThere(topic: string): void {
    if (this.#goneTopics.back(topic)) this.#waits.end(`topic ${topic}`);
  }
}
