import {
  KafkaError,
  type CommitAnswer,
  type CommitEntry,
  type CommittedOffset,
  type GroupCoordinator,
  type JoinAnswer,
  type JoinRequest,
  type MemberIdentity,
  type SyncAnswer,
  type TopicPartition,
} from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import { refusedJoin } from './group-member-state.ts';
import { kafkaCode } from './kafka-codes.ts';
import type { Network } from './network.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedCoordinator } from './simulated-coordinator.ts';

const requestTimeoutMs = 4000;

/** What the schedule sees of a reader's talk with its coordinator. Times are when the request was sent. */
export interface GroupWatcher {
  /** Sync has brought a share. */
  assigned(member: MemberIdentity, assignment: Buffer, sentMs: number): void;
  /** The coordinator knows the member: its session began anew, at the earliest when this was sent. */
  alive(member: MemberIdentity, sentMs: number): void;
  /**
   * The coordinator does not know this member, or not in this generation.
   * @param isJoining a join or sync is on its way, so that another generation is no news.
   */
  refused(member: MemberIdentity, errorCode: number, isJoining: boolean): void;
  /** A commit goes out. */
  committing(member: MemberIdentity, entries: readonly CommitEntry[]): void;
}

/** The coordinator as one reader reaches it; one for each life. */
export class SimulatedGroupPort implements GroupCoordinator {
  readonly #cluster: SimulatedCluster;
  readonly #network: Network;
  readonly #coordinator: SimulatedCoordinator;
  readonly #life: Life;
  readonly #reader: string;
  readonly #chance: Chance;
  readonly #watcher: GroupWatcher;
  #known: number | undefined;
  #isClosed = false;
  /** From the sending of a join to the answer to its sync. */
  #isJoining = false;

  constructor(parts: {
    readonly cluster: SimulatedCluster;
    readonly network: Network;
    readonly coordinator: SimulatedCoordinator;
    readonly life: Life;
    /** Names the process, over all its restarts. */
    readonly reader: string;
    readonly chance: Chance;
    readonly watcher: GroupWatcher;
  }) {
    this.#cluster = parts.cluster;
    this.#network = parts.network;
    this.#coordinator = parts.coordinator;
    this.#life = parts.life;
    this.#reader = parts.reader;
    this.#chance = parts.chance;
    this.#watcher = parts.watcher;
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    const { group } = this.#coordinator;
    this.#isJoining = true;
    const answer = await this.#ask<JoinAnswer>(
      'join',
      request.rebalanceTimeoutMs + requestTimeoutMs,
      (reply) => group.join(this.#reader, request, reply),
      refusedJoin,
    );
    const { errorCode } = this.#noted(answer.errorCode, answer);
    if (errorCode !== 0) this.#isJoining = errorCode === kafkaCode.memberIdRequired;
    if (errorCode !== 0 && errorCode !== kafkaCode.memberIdRequired)
      this.#watcher.refused({ ...request, generationId: -1 }, errorCode, true);
    return answer;
  }

  async sync(
    member: MemberIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): Promise<SyncAnswer> {
    const sentMs = this.#nowMs;
    const answer = await this.#ask<SyncAnswer>(
      'join',
      30_000,
      (reply) => this.#coordinator.group.sync(member, assignments, reply),
      (errorCode) => ({ errorCode, assignment: Buffer.alloc(0) }),
    );
    this.#isJoining = false;
    this.#noted(answer.errorCode, answer);
    if (answer.errorCode === 0) this.#watcher.assigned(member, answer.assignment, sentMs);
    else this.#watcher.refused(member, answer.errorCode, false);
    return answer;
  }

  async heartbeat(member: MemberIdentity): Promise<{ readonly errorCode: number }> {
    const sentMs = this.#nowMs;
    const { errorCode } = await this.#ask<{ errorCode: number }>(
      'beat',
      requestTimeoutMs,
      (reply) => reply({ errorCode: this.#coordinator.group.heartbeat(member) }),
      (code) => ({ errorCode: code }),
    );
    this.#answered(member, errorCode, sentMs);
    return { errorCode };
  }

  async leave(member: MemberIdentity): Promise<{ readonly errorCode: number }> {
    const answer = await this.#ask<{ errorCode: number }>(
      'beat',
      requestTimeoutMs,
      (reply) => reply({ errorCode: this.#coordinator.group.leave(member) }),
      (errorCode) => ({ errorCode }),
    );
    return this.#noted(answer.errorCode, answer);
  }

  async commit(
    member: MemberIdentity,
    entries: readonly CommitEntry[],
  ): Promise<readonly CommitAnswer[]> {
    const sentMs = this.#nowMs;
    this.#watcher.committing(member, entries);
    const answers = await this.#ask<readonly CommitAnswer[]>(
      'beat',
      requestTimeoutMs,
      (reply) => reply(this.#coordinator.commit(this.#reader, member, entries)),
      (errorCode) => entries.map(({ topic, partition }) => ({ topic, partition, errorCode })),
    );
    this.#answered(member, answers[0]?.errorCode ?? 0, sentMs);
    return answers;
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedOffset[]> {
    const answers = await this.#ask<readonly CommittedOffset[]>(
      'beat',
      requestTimeoutMs,
      (reply) => reply(this.#coordinator.committed(partitions, 0)),
      (errorCode) => this.#coordinator.committed(partitions, errorCode),
    );
    return this.#noted(answers[0]?.errorCode ?? 0, answers);
  }

  close(): void {
    this.#isClosed = true;
    this.#network.cutLife(this.#life);
  }

  get #nowMs(): number {
    return this.#cluster.scheduler.nowMs;
  }

  #answered(member: MemberIdentity, errorCode: number, sentMs: number): void {
    this.#noted(errorCode, undefined);
    if (errorCode === kafkaCode.none || errorCode === kafkaCode.rebalanceInProgress)
      this.#watcher.alive(member, sentMs);
    else this.#watcher.refused(member, errorCode, this.#isJoining);
  }

  /** Forgets a coordinator that says it is none. */
  #noted<T>(errorCode: number, answer: T): T {
    if (errorCode === kafkaCode.notCoordinator) this.#known = undefined;
    return answer;
  }

  async #ask<T>(
    socket: string,
    timeoutMs: number,
    act: (reply: (value: T) => void) => void,
    refuse: (errorCode: number) => T,
  ): Promise<T> {
    if (this.#isClosed) throw new KafkaError('KAFKA_UNAVAILABLE', 'the group is closed');
    try {
      const broker = (this.#known ??= await this.#find());
      return await this.#network.ask<T>({
        life: this.#life,
        broker,
        socket,
        what: 'group',
        timeoutMs,
        act: (reply) => {
          const errorCode = this.#coordinator.refusal(broker);
          if (errorCode === kafkaCode.none) act(reply);
          else reply(refuse(errorCode));
        },
      });
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
  }

  async #find(): Promise<number> {
    const broker = this.#chance.pick(this.#cluster.brokerIds);
    const found = await this.#network.ask<number | undefined>({
      life: this.#life,
      broker,
      socket: 'ask',
      what: 'find coordinator',
      timeoutMs: requestTimeoutMs,
      act: (reply) => reply(this.#coordinator.knownBy(broker)),
    });
    if (found === undefined)
      throw new KafkaError('KAFKA_UNAVAILABLE', 'the group has no coordinator now');
    return found;
  }
}
