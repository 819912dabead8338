import { KafkaError } from '../../kafka-error.ts';
import type {
  CommitEntry,
  GroupCoordinator,
  JoinAnswer,
  JoinRequest,
  MemberIdentity,
  SyncAnswer,
} from '../../ports/group-coordinator.ts';
import { partitionKey } from '../../ports/partition.ts';
import type { ManualClock } from './manual-clock.ts';

interface Member {
  id: string;
  instance: string | undefined;
  request: JoinRequest;
  assignment: Buffer;
  join?: (answer: JoinAnswer) => void;
  sync?: (answer: SyncAnswer) => void;
  session?: ReturnType<ManualClock['after']>;
}

/** What is between one member and the group. */
export interface Fault {
  isCutOff: boolean;
}

type Call = 'join' | 'sync' | 'heartbeat' | 'leave' | 'commit' | 'committed';

/** One group with the rules of Kafka's classic coordinator, as far as a member sees them. */
export class MemoryGroup {
  readonly #clock: ManualClock;
  readonly #members = new Map<string, Member>();
  readonly #pending = new Set<string>();
  readonly offsets = new Map<string, { offset: bigint; metadata: string }>();
  readonly calls: string[] = [];
  state: 'Empty' | 'Preparing' | 'Completing' | 'Stable' = 'Empty';
  generation = 0;
  leader = '';
  /** Answered to everything instead of doing it. */
  answerWith: number | 'silence' | undefined;
  /** Done, and then the connection is lost; once. */
  losesAnswerOf: Call | undefined;
  /** The next commit is lost on the way, and arrives when `lateCommits` are carried out. */
  delaysCommit = false;
  readonly lateCommits: (() => void)[] = [];
  /** Answers to these wait until released. */
  readonly held = new Map<Call, (() => void)[]>();
  /** What no member may do: a position was lowered. */
  readonly faults: string[] = [];
  #names = 0;
  #deadline: ReturnType<ManualClock['after']> | undefined;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  get memberIds(): string[] {
    return [...this.#members.keys()];
  }

  /** Somebody of another kind joins: whoever is there has to. */
  rebalance(): void {
    this.#prepare();
  }

  /** A restart without memory of the members. */
  forget(): void {
    for (const id of this.memberIds) this.#remove(id);
  }

  port(fault: Fault = { isCutOff: false }): GroupCoordinator {
    const call = async <Answer>(
      what: Call,
      refused: (code: number) => Answer,
      work: () => Answer | Promise<Answer>,
    ): Promise<Answer> => {
      await Promise.resolve();
      this.calls.push(what);
      const lost = new KafkaError('KAFKA_UNAVAILABLE', `connection lost during ${what}`);
      if (this.answerWith === 'silence' || fault.isCutOff) throw lost;
      if (this.answerWith !== undefined) return refused(this.answerWith);
      const answer = await work();
      const waiting = this.held.get(what);
      if (waiting) await new Promise<void>((resolve) => waiting.push(resolve));
      if (fault.isCutOff) throw lost;
      if (this.losesAnswerOf === what) {
        this.losesAnswerOf = undefined;
        throw lost;
      }
      return answer;
    };
    return {
      join: async (request) =>
        call(
          'join',
          (errorCode) => joinAnswer(errorCode),
          async () => this.#join(request),
        ),
      sync: async (member, assignments) =>
        call(
          'sync',
          (errorCode) => ({ errorCode, assignment: Buffer.alloc(0) }),
          async () => this.#sync(member, assignments),
        ),
      heartbeat: async (member) =>
        call(
          'heartbeat',
          (errorCode) => ({ errorCode }),
          () => ({
            errorCode: this.#heartbeat(member),
          }),
        ),
      leave: async ({ memberId }) =>
        call(
          'leave',
          (errorCode) => ({ errorCode }),
          () => {
            const errorCode = this.#members.has(memberId) ? 0 : 25;
            this.#remove(memberId);
            return { errorCode };
          },
        ),
      commit: async (member, entries) =>
        call(
          'commit',
          (errorCode) => entries.map((entry) => ({ ...entry, errorCode })),
          () => {
            if (this.delaysCommit) {
              this.delaysCommit = false;
              this.lateCommits.push(() => this.#commit(member, entries));
              throw new KafkaError('KAFKA_UNAVAILABLE', 'no answer to the commit');
            }
            const errorCode = this.#commit(member, entries);
            return entries.map((entry) => ({ ...entry, errorCode }));
          },
        ),
      committed: async (partitions) =>
        call(
          'committed',
          (errorCode) =>
            partitions.map((one) => ({ ...one, errorCode, offset: -1n, metadata: '' })),
          () =>
            partitions.map((one) => ({
              ...one,
              errorCode: 0,
              ...(this.offsets.get(partitionKey(one)) ?? { offset: -1n, metadata: '' }),
            })),
        ),
      close: () => undefined,
    };
  }

  async #join(request: JoinRequest): Promise<JoinAnswer> {
    const names = request.protocols.map(({ name }) => name);
    for (const { request: other } of this.#members.values())
      if (!other.protocols.some(({ name }) => names.includes(name))) return joinAnswer(23);
    let id = request.memberId;
    if (request.groupInstanceId !== undefined) {
      const before = [...this.#members.values()].find(
        ({ instance }) => instance === request.groupInstanceId,
      );
      if (before && id !== '' && before.id !== id) return joinAnswer(82);
      if (before && id === '') return this.#replaceStatic(before, request);
      if (id === '') id = this.#newId();
    } else if (id === '') {
      id = this.#newId();
      this.#pending.add(id);
      return { ...joinAnswer(79), memberId: id };
    }
    if (request.groupInstanceId === undefined && !this.#members.has(id) && !this.#pending.has(id))
      return joinAnswer(25);
    this.#pending.delete(id);
    const member: Member = this.#members.get(id) ?? {
      id,
      instance: request.groupInstanceId,
      request,
      assignment: Buffer.alloc(0),
    };
    const isSame = sameProtocols(member.request, request) && this.#members.has(id);
    member.request = request;
    this.#members.set(id, member);
    this.#clock.cancel(member.session);
    if (isSame && (this.state === 'Completing' || (this.state === 'Stable' && id !== this.leader)))
      return this.#joined(member);
    const answer = new Promise<JoinAnswer>((resolve) => (member.join = resolve));
    this.#prepare();
    return answer;
  }

  #replaceStatic(before: Member, request: JoinRequest): JoinAnswer | Promise<JoinAnswer> {
    const oldId = before.id;
    this.#members.delete(oldId);
    before.join?.(joinAnswer(82));
    before.sync?.({ errorCode: 82, assignment: Buffer.alloc(0) });
    before.id = this.#newId();
    before.request = request;
    this.#members.set(before.id, before);
    if (this.leader === oldId) this.leader = before.id;
    if (this.state !== 'Stable') {
      const answer = new Promise<JoinAnswer>((resolve) => (before.join = resolve));
      this.#prepare();
      return answer;
    }
    this.#expectLife(before);
    // The old id as the leader: the new one must not think that it has to share out.
    return { ...this.#joined(before), leaderId: oldId, members: [] };
  }

  #prepare(): void {
    if (this.state === 'Completing')
      for (const member of this.#members.values()) {
        member.sync?.({ errorCode: 27, assignment: Buffer.alloc(0) });
        delete member.sync;
      }
    if (this.state !== 'Preparing') {
      this.state = 'Preparing';
      const waitMs = Math.max(
        ...[...this.#members.values()].map((m) => m.request.rebalanceTimeoutMs),
      );
      this.#clock.cancel(this.#deadline);
      this.#deadline = this.#clock.after(waitMs, () => this.#complete());
    }
    if ([...this.#members.values()].every(({ join }) => join)) this.#complete();
  }

  #complete(): void {
    if (this.state !== 'Preparing') return;
    this.#clock.cancel(this.#deadline);
    for (const member of [...this.#members.values()])
      if (!member.join && member.instance === undefined) {
        this.#clock.cancel(member.session);
        this.#members.delete(member.id);
      }
    this.generation += 1;
    if (this.#members.size === 0) {
      this.state = 'Empty';
      return;
    }
    this.state = 'Completing';
    if (!this.#members.has(this.leader)) this.leader = this.memberIds[0] ?? '';
    for (const member of this.#members.values()) {
      const { join } = member;
      delete member.join;
      this.#expectLife(member);
      join?.(this.#joined(member));
    }
  }

  #joined(member: Member): JoinAnswer {
    const isLeader = member.id === this.leader;
    return {
      errorCode: 0,
      generationId: this.generation,
      protocolName: member.request.protocols[0]?.name ?? '',
      leaderId: this.leader,
      memberId: member.id,
      members: isLeader
        ? [...this.#members.values()].map(({ id, instance, request }) => ({
            memberId: id,
            groupInstanceId: instance,
            metadata: request.protocols[0]?.metadata ?? Buffer.alloc(0),
          }))
        : [],
    };
  }

  async #sync(
    identity: MemberIdentity,
    assignments: readonly { memberId: string; assignment: Buffer }[],
  ): Promise<SyncAnswer> {
    const answer = (errorCode: number, assignment: Buffer = Buffer.alloc(0)): SyncAnswer => ({
      errorCode,
      assignment,
    });
    const code = this.#check(identity);
    const member = this.#members.get(identity.memberId);
    if (code !== 0 || !member) return answer(code);
    if (this.state === 'Preparing') return answer(27);
    if (this.state === 'Stable') return answer(0, member.assignment);
    const result = new Promise<SyncAnswer>((resolve) => (member.sync = resolve));
    if (member.id === this.leader) {
      this.state = 'Stable';
      for (const one of this.#members.values()) {
        one.assignment =
          assignments.find(({ memberId }) => memberId === one.id)?.assignment ?? Buffer.alloc(0);
        this.#expectLife(one);
        one.sync?.(answer(0, one.assignment));
        delete one.sync;
      }
    }
    return result;
  }

  #heartbeat(identity: MemberIdentity): number {
    const code = this.#check(identity);
    const member = this.#members.get(identity.memberId);
    if (code !== 0 || !member) return code;
    this.#expectLife(member);
    return this.state === 'Preparing' ? 27 : 0;
  }

  #commit(identity: MemberIdentity, entries: readonly CommitEntry[]): number {
    const code = this.#check(identity);
    if (code !== 0) return code;
    if (this.state === 'Completing') return 27;
    for (const { offset, metadata, ...partition } of entries) {
      const key = partitionKey(partition);
      const before = this.offsets.get(key)?.offset ?? -1n;
      if (offset < before) this.faults.push(`${key}: ${before} was lowered to ${offset}`);
      this.offsets.set(key, { offset, metadata });
    }
    return 0;
  }

  #check({ memberId, groupInstanceId, generationId }: MemberIdentity): number {
    if (groupInstanceId !== undefined)
      for (const { instance, id } of this.#members.values())
        if (instance === groupInstanceId && id !== memberId) return 82;
    if (!this.#members.has(memberId)) return 25;
    return generationId === this.generation ? 0 : 22;
  }

  #expectLife(member: Member): void {
    this.#clock.cancel(member.session);
    member.session = this.#clock.after(member.request.sessionTimeoutMs, () => {
      if (!member.join) this.#remove(member.id);
    });
  }

  #remove(id: string): void {
    const member = this.#members.get(id);
    if (!member) return;
    this.#clock.cancel(member.session);
    member.join?.(joinAnswer(25));
    member.sync?.({ errorCode: 25, assignment: Buffer.alloc(0) });
    this.#members.delete(id);
    this.#prepare();
  }

  #newId(): string {
    this.#names += 1;
    return `member-${this.#names}`;
  }
}

function joinAnswer(errorCode: number): JoinAnswer {
  return {
    errorCode,
    generationId: -1,
    protocolName: '',
    leaderId: '',
    memberId: '',
    members: [],
  };
}

function sameProtocols(a: JoinRequest, b: JoinRequest): boolean {
  return (
    a.protocols.length === b.protocols.length &&
    a.protocols.every(({ metadata }, index) => b.protocols[index]?.metadata.equals(metadata))
  );
}
