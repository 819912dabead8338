import type { JoinAnswer, MemberIdentity } from '@outbound/kafka';
import type { Scheduler } from '../scheduler.ts';
import { persistedMember, refusedJoin, type MemberState } from './group-member-state.ts';
import { kafkaCode } from './kafka-codes.ts';

/** The members of a group, by name, with their sessions; which of them leads. */
export class GroupRoster {
  leaderId = '';
  readonly #scheduler: Scheduler;
  /** No timer runs while the broker hangs. */
  readonly #isFrozen: () => boolean;
  readonly #onSilent: (member: MemberState) => void;
  readonly #members = new Map<string, MemberState>();

  constructor(
    scheduler: Scheduler,
    isFrozen: () => boolean,
    onSilent: (member: MemberState) => void,
  ) {
    this.#scheduler = scheduler;
    this.#isFrozen = isFrozen;
    this.#onSilent = onSilent;
  }

  get size(): number {
    return this.#members.size;
  }

  all(): MemberState[] {
    return [...this.#members.values()];
  }

  get(memberId: string): MemberState | undefined {
    return this.#members.get(memberId);
  }

  /** The member of this identity in this generation; Kafka's code where it is none, or fenced. */
  validate(
    { memberId, groupInstanceId, generationId }: MemberIdentity,
    generation: number,
  ): MemberState | number {
    if (groupInstanceId !== undefined) {
      const holder = this.byInstance(groupInstanceId);
      if (!holder) return kafkaCode.unknownMemberId;
      if (holder.memberId !== memberId) return kafkaCode.fencedInstanceId;
    }
    const member = this.get(memberId);
    if (!member) return kafkaCode.unknownMemberId;
    return generationId === generation ? member : kafkaCode.illegalGeneration;
  }

  byInstance(instanceId: string | undefined): MemberState | undefined {
    if (instanceId === undefined) return undefined;
    return this.all().find((member) => member.instanceId === instanceId);
  }

  add(member: MemberState): void {
    this.#members.set(member.memberId, member);
    if (this.leaderId === '') this.leaderId = member.memberId;
  }

  /** The same place under another name. */
  rename(member: MemberState, memberId: string): void {
    this.#members.delete(member.memberId);
    if (this.leaderId === member.memberId) this.leaderId = memberId;
    member.memberId = memberId;
    this.#members.set(memberId, member);
  }

  /** Whatever it waits for is refused. */
  forget(member: MemberState): void {
    member.expiry?.cancel();
    member.answerJoin?.(refusedJoin(kafkaCode.unknownMemberId));
    member.answerSync?.({ errorCode: kafkaCode.unknownMemberId, assignment: Buffer.alloc(0) });
    this.#members.delete(member.memberId);
    if (this.leaderId === member.memberId) this.leaderId = this.all()[0]?.memberId ?? '';
  }

  /** Everybody is gone, together with the coordinator. */
  unload(): void {
    for (const member of this.#members.values()) {
      member.expiry?.cancel();
      member.answerJoin?.(refusedJoin(kafkaCode.notCoordinator));
      member.answerSync?.({ errorCode: kafkaCode.notCoordinator, assignment: Buffer.alloc(0) });
    }
    this.#members.clear();
  }

  load(members: readonly MemberState[], leaderId: string): void {
    this.#members.clear();
    for (const member of members) this.#members.set(member.memberId, persistedMember(member));
    this.leaderId = leaderId;
    for (const member of this.#members.values()) this.beat(member);
  }

  /** Its session begins anew. While a join or a sync waits, it does not run out. */
  beat(member: MemberState): void {
    member.expiry?.cancel();
    const isOut = (): void => {
      if (this.#members.get(member.memberId) !== member) return;
      if (member.answerJoin || member.answerSync) return;
      if (this.#isFrozen()) member.expiry = this.#scheduler.after(100, isOut);
      else this.#onSilent(member);
    };
    member.expiry = this.#scheduler.after(member.sessionTimeoutMs, isOut);
  }

  /** The answer to a join of this generation; everybody is named to the leader only. */
  joined(member: MemberState, generationId: number, protocolName: string): JoinAnswer {
    const metadataOf = ({ protocols }: MemberState): Buffer =>
      protocols.find(({ name }) => name === protocolName)?.metadata ?? Buffer.alloc(0);
    return {
      errorCode: 0,
      generationId,
      protocolName,
      leaderId: this.leaderId,
      memberId: member.memberId,
      members:
        member.memberId === this.leaderId
          ? this.all().map((each) => ({
              memberId: each.memberId,
              groupInstanceId: each.instanceId,
              metadata: metadataOf(each),
            }))
          : [],
    };
  }
}
