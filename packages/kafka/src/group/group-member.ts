import { KafkaError } from '../kafka-error.ts';
import type { MemberIdentity } from '../ports/group-coordinator.ts';
import type { TopicPartition } from '../ports/partition.ts';
import { Committer, type Position } from './committer.ts';
import { groupCode, groupFailure, groupVerdict } from './group-codes.ts';
import type { GroupMemberOptions } from './group-member-options.ts';
import { heartbeatLoop } from './heartbeats.ts';
import { HeldPartitions, names, type Held } from './held-partitions.ts';
import { leaveGroup } from './leave-group.ts';
import type { MemberFacts } from './member-state.ts';
import { Membership } from './membership.ts';
import { rebalance } from './rebalance.ts';
import { Retry } from './retry.ts';
import { Revocations } from './revocations.ts';
import { SessionEnd } from './session-end.ts';
import { StateTeller } from './state-teller.ts';
import { Starts } from './starts.ts';
import { describeChange } from './topic-view.ts';
import { TopicWatch } from './topic-watch.ts';
import { unlessAborted, Wake } from './wake.ts';

/**
 * A member of a consumer group: cooperative-sticky, as Java's and librdkafka's clients speak it, so that all of them
 * can share one group.
 *
 * What it promises: a partition is ours from `onAssigned` to the end of `onRevoked`, or to `onLost`, and as long as
 * everybody keeps the rules nobody else's meanwhile. A rebalance touches only what moves. Where a partition begins
 * was committed before `onAssigned`. Every commit is fenced by member and generation, so that one which comes too
 * late is refused by the coordinator; per assignment a position only rises. A coordinator that is away is waited for
 * under the same identity. When nothing was heard of it for the session timeout, by our own clock, everything is lost
 * before `isOurs` says yes once more.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #held = new HeldPartitions();
  readonly #watch: TopicWatch;
  readonly #teller: StateTeller;
  readonly #membership: Membership;
  readonly #committer: Committer;
  readonly #revocations: Revocations;
  readonly #session: SessionEnd;
  readonly #over = new AbortController();
  readonly #roundWake = new Wake();
  readonly #starts: Starts;
  #wantsRejoin = false;
  #isStopping = false;
  #rebalances = 0;
  #losses = 0;
  #defect: { readonly reason: unknown } | undefined;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    const { coordinator, clock, random } = options;
    const membership = new Membership(options.groupInstanceId, options.sessionTimeoutMs);
    this.#membership = membership;
    this.#committer = new Committer({
      coordinator,
      clock,
      random,
      held: this.#held,
      membership,
      onCode: (code, identity) => this.#takeCode(code, identity),
      onUnavailable: (error) => this.#teller.waiting(error),
    });
    this.#revocations = new Revocations({
      held: this.#held,
      onRevoked: async (partitions) => options.onRevoked(partitions),
      onGivenUp: () => this.#committer.wake(),
    });
    this.#session = new SessionEnd({
      ...options,
      held: this.#held,
      membership,
      over: this.#over.signal,
      onEnd: (why) => this.#loseAll(undefined, why),
    });
    this.#teller = new StateTeller(() => this.facts, options);
    this.#watch = new TopicWatch({
      ...options,
      topicsMs: options.topicsMs ?? 30_000,
      held: this.#held,
      over: this.#over.signal,
      isLeader: () => membership.isLeader,
      rebalances: () => this.#rebalances,
      onGone: (lives) => this.#lose(lives),
      rejoin: () => this.#rejoin(),
      onChanged: (change) => {
        options.logger.warn({}, describeChange(change));
        options.onTopicChanged?.(change);
      },
    });
    this.#starts = new Starts({
      options,
      held: this.#held,
      watch: this.#watch,
      committer: this.#committer,
      over: this.#over.signal,
      rebalances: () => this.#rebalances,
      onFailed: this.#fail,
    });
  }

  get facts(): MemberFacts {
    const { memberId, generationId, isLeader } = this.#membership;
    const partitions = this.#held.size;
    const [rebalances, losses] = [this.#rebalances, this.#losses];
    return { memberId, generationId, isLeader, partitions, rebalances, losses };
  }

  /**
   * Joins, and stays until the signal aborts; then what we have is revoked (the owner drains), and the group is left:
   * at once for the others, unless the member is static. Once in a member's life. Resolves also after `onFailed`.
   * @throws whatever the owner's callbacks throw.
   */
  async run(signal: AbortSignal): Promise<void> {
    const loops = [this.#shareLoop(), this.#beatLoop(), this.#watch.run(), this.#session.run()];
    const ended = Promise.all(loops.map(async (loop) => loop.catch(this.#fail)));
    try {
      if (!signal.aborted) {
        const stopped = AbortSignal.any([signal, this.#over.signal]);
        await unlessAborted(new Promise<never>(() => undefined), stopped);
      }
      if (!this.#over.signal.aborted) await this.#drain().catch(this.#fail);
    } finally {
      this.#end();
      await this.#committer.close();
      await ended;
      await this.#starts.settled();
      await leaveGroup(this.#options, this.#membership.identity);
      this.#teller.set('stopped');
    }
    if (this.#defect) throw this.#defect.reason;
  }

  /**
   * Commits positions of partitions that are ours; resolves when the coordinator has them. A position at or below one
   * that this assignment has committed is done already. What heals is waited for, rebalances too; so the caller
   * bounds its wait.
   * @throws KafkaError KAFKA_NOT_OURS for partitions that are not, or stopped to be (the others are committed all the
   * same), or what the coordinator refuses for good.
   */
  async commit(positions: readonly Position[]): Promise<void> {
    await this.#committer.commit(positions);
  }

  /**
   * The owner goes on from another position, lower or higher, on purpose; as `commit`, and later commits rise from
   * there.
   */
  async restartAt(positions: readonly Position[]): Promise<void> {
    await this.#committer.commit(positions, true);
  }

  /**
   * May an event of this partition be handed out now? Looks at the clock first: a process that was suspended for
   * longer than the session timeout finds `onLost` called before this says no.
   */
  isOurs(partition: TopicPartition): boolean {
    this.#session.expire();
    const phase = this.#held.get(partition)?.phase;
    return phase === 'running' || phase === 'revoking';
  }

  /** The id of the topic that our positions are of; undefined where no broker says, or the topic is gone. */
  topicId(topic: string): string | undefined {
    return this.#watch.view.now(topic)?.topicId;
  }

  /** How many partitions the topic has; undefined while it is not there. */
  partitionsOf(topic: string): number | undefined {
    return this.#watch.view.now(topic)?.partitionCount;
  }

  /** Somebody has seen that a topic is not what it was: looks at once. */
  lookAtTopics(): void {
    this.#watch.wake();
  }

  async #shareLoop(): Promise<void> {
    const { clock, random } = this.#options;
    const retry = new Retry(clock, random);
    while (!this.#isOver && !this.#isStopping) {
      this.#wantsRejoin = false;
      this.#teller.set(this.#rebalances === 0 ? 'joining' : 'rebalancing');
      const assigned = await rebalance({
        ...this.#options,
        retry,
        groupInstanceId: this.#options.groupInstanceId,
        held: this.#held,
        membership: this.#membership,
        view: this.#watch.view,
        over: this.#over.signal,
        onLost: (code) => this.#loseAll(code),
        onFacts: (facts) => {
          this.#watch.learn(facts);
          // They are shared out now.
          this.#wantsRejoin = false;
        },
        onWaiting: (error) => this.#teller.waiting(error),
      });
      this.#committer.wake();
      if (!assigned || this.#isOver) return;
      this.#rebalances += 1;
      // What we have is being drained, and was claimed in that join: it is nobody else's until we leave.
      if (this.#isStopping) return;
      await this.#takeShare(assigned);
    }
  }

  /** Resolves when it is time to join again. */
  async #takeShare(assigned: readonly TopicPartition[]): Promise<void> {
    const { added, revoked, mustRejoin } = this.#held.take(assigned, this.#membership.generationId);
    this.#session.wake();
    this.#session.expire();
    this.#starts.begin(added);
    if (revoked.length > 0) await this.#revocations.revoke(revoked);
    if (mustRejoin) return;
    this.#teller.set('running');
    while (!this.#wantsRejoin && !this.#isStopping && !this.#isOver)
      await this.#options.clock.sleep(60_000, this.#roundWake.signal);
  }

  async #beatLoop(): Promise<void> {
    await heartbeatLoop({
      ...this.#options,
      membership: this.#membership,
      over: this.#over.signal,
      expire: () => this.#session.expire(),
      onCode: (code, identity) => this.#takeCode(code, identity),
      onWaiting: (error) => this.#teller.waiting(error),
    });
  }

  /** What an answer to a heartbeat or a commit means beyond itself. */
  #takeCode(code: number, identity: MemberIdentity): void {
    // What a place that we have left is told: as a static member's that has joined anew, which is fenced by ourselves.
    if (identity.memberId !== this.#membership.memberId) return;
    const verdict = groupVerdict(code);
    if (verdict === 'fail') return this.#fail(groupFailure(code, this.#options));
    const isIn = this.#membership.phase === 'in';
    if (!this.#membership.isNow(identity)) return;
    if (verdict === 'rejoin' && isIn) this.#rejoin();
    // While a join is on its way, another generation is what we expect; that we are unknown is always news.
    if (verdict === 'lost' && (isIn || code === groupCode.unknownMember)) this.#loseAll(code);
  }

  #rejoin(): void {
    this.#wantsRejoin = true;
    this.#roundWake.wake();
  }

  #loseAll(
    code: number | undefined,
    why = `the coordinator has answered ${code === groupCode.unknownMember ? 'UNKNOWN_MEMBER_ID' : 'ILLEGAL_GENERATION'}`,
  ): void {
    this.#membership.leaveBehind(code === groupCode.unknownMember);
    if (this.#held.size > 0) {
      this.#losses += 1;
      this.#options.logger.warn(
        { partitions: this.#held.size },
        `the group has gone on without this member, which joins again: ${why}`,
      );
    }
    this.#lose(this.#held.all());
    if (this.#membership.phase === 'out') this.#rejoin();
  }

  /** Ends these lives at once: whatever the owner has of them is nobody's. */
  #lose(lives: readonly Held[]): void {
    const known = this.#held.giveUp(lives);
    this.#committer.wake();
    this.#revocations.lost();
    if (known.length > 0) this.#options.onLost(names(known));
  }

  /** The owner drains everything, in the middle of whatever goes on. */
  async #drain(): Promise<void> {
    this.#isStopping = true;
    this.#teller.set('stopping');
    this.#roundWake.wake();
    await this.#revocations.revokeAll();
  }

  readonly #fail = (error: unknown): void => {
    if (this.#isOver) return;
    this.#end();
    this.#lose(this.#held.all());
    if (error instanceof KafkaError) this.#options.onFailed(error);
    else this.#defect = { reason: error };
  };

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #end(): void {
    this.#over.abort();
    this.#roundWake.wake();
    this.#session.wake();
    this.#watch.wake();
  }
}
