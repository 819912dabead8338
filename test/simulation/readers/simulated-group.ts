import type { JoinAnswer, JoinRequest, MemberIdentity, SyncAnswer } from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import type { Scheduler } from '../scheduler.ts';
import { GroupInvitations } from './group-invitations.ts';
import { GroupTimer } from './group-timer.ts';
import { GroupRoster } from './group-roster.ts';
import {
  matches,
  newMember,
  persistedMember,
  refusedJoin,
  selectProtocol,
  type MemberState,
} from './group-member-state.ts';
import { kafkaCode } from './kafka-codes.ts';

/** What is written down of a group, and there again wherever it is coordinated. */
interface Persisted {
  readonly generation: number;
  readonly protocol: string;
  readonly leaderId: string;
  readonly members: readonly MemberState[];
}

type Answer<T> = (answer: T) => void;

const noAssignment = (errorCode: number): SyncAnswer => ({
  errorCode,
  assignment: Buffer.alloc(0),
});

/**
 * Membership of one group, as Kafka's coordinator keeps it: generations, joins that wait for each other, the leader's assignment, sessions, static members and their
 * fencing. Only what was written down survives a change of coordinator: the last stable generation, so that a number of a generation may come twice.
 * Source: Kafka's `GroupCoordinator` (classic protocol).
 */
export class SimulatedGroup {
  readonly #trace: (what: string) => void;
  /** How long the first join of an empty group waits for others. */
  readonly #initialDelayMs: number;
  #state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty';
  #generation = 0;
  #protocol = '';
  readonly #roster: GroupRoster;
  #persisted: Persisted = { generation: 0, protocol: '', leaderId: '', members: [] };
  readonly #invitations: GroupInvitations;
  readonly #rebalance: GroupTimer;
  #isInitial = false;
  #nextMember = 0;
  /** A member lost its place without having asked for it. */
  onRemoved: (reader: string, why: string) => void = () => undefined;

  constructor(options: {
    readonly scheduler: Scheduler;
    readonly chance: Chance;
    readonly trace: (what: string) => void;
    /** No timer runs while the broker hangs. */
    readonly isFrozen: () => boolean;
    readonly initialDelayMs: number;
  }) {
    this.#trace = options.trace;
    this.#initialDelayMs = options.initialDelayMs;
    const { scheduler, chance, isFrozen } = options;
    this.#rebalance = new GroupTimer(scheduler, chance, isFrozen);
    this.#invitations = new GroupInvitations(scheduler, () => this.#completeIfAllJoined());
    this.#roster = new GroupRoster(scheduler, isFrozen, (member) => {
      this.onRemoved(member.reader, 'session timeout');
      this.#remove(member, 'was not heard of');
    });
  }

  get generation(): number {
    return this.#generation;
  }

  get isEmpty(): boolean {
    return this.#roster.size === 0;
  }

  get isStable(): boolean {
    return this.#state === 'stable';
  }

  /** Members with their shares of the present generation; none while it is being made. */
  shares(): readonly MemberState[] {
    return this.#state === 'stable' || this.#state === 'preparing' ? this.#roster.all() : [];
  }

  /** Whether this reader's process has a place. */
  hasReader(reader: string): boolean {
    return this.#roster.all().some((member) => member.reader === reader);
  }

  join(reader: string, request: JoinRequest, answer: Answer<JoinAnswer>): void {
    const { memberId, groupInstanceId } = request;
    const others = this.#roster.all().filter((each) => each.memberId !== memberId);
    if (!selectProtocol([...others, newMember(memberId, reader, request)]))
      return answer(refusedJoin(kafkaCode.inconsistentGroupProtocol));
    if (memberId === '' && groupInstanceId === undefined)
      return this.#invite(reader, request, answer);
    const sameInstance = this.#roster.byInstance(groupInstanceId);
    if (memberId === '') {
      if (sameInstance) this.#replaceStatic(sameInstance, reader, request, answer);
      else this.#add(this.#mint(reader), reader, request, answer);
      return;
    }
    if (sameInstance && sameInstance.memberId !== memberId)
      return answer(refusedJoin(kafkaCode.fencedInstanceId));
    if (this.#invitations.take(memberId)) return this.#add(memberId, reader, request, answer);
    const member = this.#roster.get(memberId);
    if (!member) return answer(refusedJoin(kafkaCode.unknownMemberId));
    const isSame = matches(member, request.protocols);
    const answersNow =
      (this.#state === 'completing' && isSame) ||
      (this.#state === 'stable' && isSame && memberId !== this.#roster.leaderId);
    if (answersNow) {
      this.#roster.beat(member);
      return answer(this.#roster.joined(member, this.#generation, this.#protocol));
    }
    this.#update(member, request, answer);
    this.#prepare(`${memberId} joins again`);
  }

  sync(
    identity: MemberIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
    answer: Answer<SyncAnswer>,
  ): void {
    const member = this.#roster.validate(identity, this.#generation);
    if (typeof member === 'number') return answer(noAssignment(member));
    if (this.#state === 'preparing') return answer(noAssignment(kafkaCode.rebalanceInProgress));
    if (this.#state === 'stable') {
      this.#roster.beat(member);
      return answer({ errorCode: 0, assignment: member.assignment });
    }
    member.hasSynced = true;
    member.answerSync = answer;
    if (member.memberId !== this.#roster.leaderId) return;
    for (const each of this.#roster.all())
      each.assignment =
        assignments.find(({ memberId }) => memberId === each.memberId)?.assignment ??
        Buffer.alloc(0);
    this.#state = 'stable';
    this.#rebalance.cancel();
    this.#persist();
    this.#trace(`group: generation ${this.#generation} is stable`);
    for (const each of this.#roster.all()) {
      const waiting = each.answerSync;
      each.answerSync = undefined;
      if (waiting) this.#roster.beat(each);
      waiting?.({ errorCode: 0, assignment: each.assignment });
    }
  }

  heartbeat(identity: MemberIdentity): number {
    const member = this.#roster.validate(identity, this.#generation);
    if (typeof member === 'number') return member;
    this.#roster.beat(member);
    return this.#state === 'preparing' ? kafkaCode.rebalanceInProgress : kafkaCode.none;
  }

  leave({ memberId, groupInstanceId }: MemberIdentity): number {
    if (this.#invitations.take(memberId)) {
      this.#completeIfAllJoined();
      return kafkaCode.none;
    }
    const sameInstance = this.#roster.byInstance(groupInstanceId);
    if (sameInstance && sameInstance.memberId !== memberId) return kafkaCode.fencedInstanceId;
    const member = this.#roster.get(memberId);
    if (!member) return kafkaCode.unknownMemberId;
    this.#remove(member, 'leaves');
    return kafkaCode.none;
  }

  /** Kafka's code for a commit of this member now: the fence. */
  mayCommit(identity: MemberIdentity): number {
    if (identity.generationId < 0 && this.isEmpty) return kafkaCode.none;
    const member = this.#roster.validate(identity, this.#generation);
    if (typeof member === 'number') return member;
    this.#roster.beat(member);
    return this.#state === 'completing' ? kafkaCode.rebalanceInProgress : kafkaCode.none;
  }

  /** The coordinator is gone: whoever waits is sent away, what was not written down is forgotten. */
  unload(): void {
    this.#rebalance.cancel();
    this.#invitations.clear();
    this.#roster.unload();
  }

  /** Another broker has read what was written down; every session begins anew. */
  load(): void {
    const { generation, protocol, leaderId, members } = this.#persisted;
    this.#generation = generation;
    this.#protocol = protocol;
    this.#roster.load(members, leaderId);
    this.#state = this.#roster.size === 0 ? 'empty' : 'stable';
  }

  /** A first join gets a name, and comes again with it (KIP-394). */
  #invite(reader: string, { sessionTimeoutMs }: JoinRequest, answer: Answer<JoinAnswer>): void {
    const memberId = this.#mint(reader);
    this.#invitations.invite(memberId, sessionTimeoutMs);
    answer(refusedJoin(kafkaCode.memberIdRequired, memberId));
  }

  #mint(reader: string): string {
    this.#nextMember += 1;
    return `${reader}-m${this.#nextMember}`;
  }

  #add(memberId: string, reader: string, request: JoinRequest, answer: Answer<JoinAnswer>): void {
    const member = newMember(memberId, reader, request);
    this.#isInitial = this.#state === 'empty' && this.#roster.size === 0;
    this.#roster.add(member);
    member.answerJoin = answer;
    this.#prepare(`${memberId} joins`);
  }

  #update(member: MemberState, request: JoinRequest, answer: Answer<JoinAnswer>): void {
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.answerJoin = answer;
    member.expiry?.cancel();
  }

  /** A static member has come back: it takes the place over, and whoever had it is fenced. */
  #replaceStatic(
    member: MemberState,
    reader: string,
    request: JoinRequest,
    answer: Answer<JoinAnswer>,
  ): void {
    const leaderBefore = this.#roster.leaderId;
    this.#trace(`group: ${member.memberId} is fenced by the same instance in ${reader}`);
    member.answerJoin?.(refusedJoin(kafkaCode.fencedInstanceId));
    member.answerSync?.(noAssignment(kafkaCode.fencedInstanceId));
    member.answerSync = undefined;
    this.onRemoved(member.reader, 'fenced');
    this.#roster.rename(member, this.#mint(reader));
    member.reader = reader;
    this.#update(member, request, answer);
    if (this.#state === 'stable' && selectProtocol(this.#roster.all()) === this.#protocol) {
      member.answerJoin = undefined;
      this.#persist();
      this.#roster.beat(member);
      // The old leader's name: so the member does not take itself for the leader of a generation that has its assignment.
      answer({
        ...this.#roster.joined(member, this.#generation, this.#protocol),
        leaderId: leaderBefore,
        members: [],
      });
      return;
    }
    this.#prepare(`${member.memberId} takes its place again`);
  }

  /** Everybody has to join again; who does not within the rebalance timeout is out, unless static. */
  #prepare(why: string): void {
    if (this.#state !== 'preparing') {
      this.#trace(`group: rebalance, ${why}`);
      for (const member of this.#roster.all()) {
        member.answerSync?.(noAssignment(kafkaCode.rebalanceInProgress));
        if (member.answerSync) this.#roster.beat(member);
        member.answerSync = undefined;
      }
      const isInitial = this.#isInitial;
      this.#state = 'preparing';
      this.#rebalance.cancel();
      const timeoutMs = Math.max(
        0,
        ...this.#roster.all().map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs),
      );
      this.#rebalance.after(isInitial ? this.#initialDelayMs : timeoutMs, () => {
        this.#isInitial = false;
        this.#completeJoin();
      });
    }
    this.#completeIfAllJoined();
  }

  #completeIfAllJoined(): void {
    const isWaiting =
      this.#state !== 'preparing' ||
      this.#invitations.size > 0 ||
      this.#isInitial ||
      this.#roster.all().some(({ answerJoin }) => !answerJoin);
    if (!isWaiting) this.#completeJoin();
  }

  #completeJoin(): void {
    if (this.#state !== 'preparing') return;
    this.#rebalance.cancel();
    for (const member of this.#roster.all())
      if (!member.answerJoin && member.instanceId === undefined) {
        this.#roster.forget(member);
        this.#trace(`group: ${member.memberId} has not joined in time`);
        this.onRemoved(member.reader, 'rebalance timeout');
      }
    const joined = this.#roster.all().filter(({ answerJoin }) => answerJoin);
    const first = joined[0];
    if (!first && this.#roster.size > 0) {
      // Only static members, and none is back.
      this.#rebalance.after(
        Math.max(...this.#roster.all().map((each) => each.rebalanceTimeoutMs)),
        () => this.#completeJoin(),
      );
      return;
    }
    this.#generation += 1;
    if (!first) {
      this.#state = 'empty';
      this.#roster.leaderId = '';
      this.#protocol = '';
      this.#persist();
      this.#trace('group: empty');
      return;
    }
    if (!joined.some(({ memberId }) => memberId === this.#roster.leaderId))
      this.#roster.leaderId = first.memberId;
    this.#protocol = selectProtocol(this.#roster.all()) ?? '';
    this.#state = 'completing';
    this.#trace(
      `group: generation ${this.#generation} of ${this.#roster
        .all()
        .map(({ memberId }) => memberId)
        .join(', ')}, led by ${this.#roster.leaderId}`,
    );
    for (const member of joined) {
      const { answerJoin } = member;
      member.answerJoin = undefined;
      member.hasSynced = false;
      this.#roster.beat(member);
      answerJoin?.(this.#roster.joined(member, this.#generation, this.#protocol));
    }
    const timeoutMs = Math.max(...joined.map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs));
    this.#rebalance.after(timeoutMs, () => {
      if (this.#state !== 'completing') return;
      for (const member of this.#roster.all())
        if (!member.hasSynced && member.instanceId === undefined)
          this.#remove(member, 'did not sync');
    });
  }

  #remove(member: MemberState, why: string): void {
    this.#roster.forget(member);
    this.#trace(`group: ${member.memberId} ${why}`);
    if (this.#state === 'preparing') this.#completeIfAllJoined();
    else this.#prepare(`${member.memberId} ${why}`);
  }

  #persist(): void {
    this.#persisted = {
      generation: this.#generation,
      protocol: this.#protocol,
      leaderId: this.#roster.leaderId,
      members: this.#roster.all().map(persistedMember),
    };
  }
}
