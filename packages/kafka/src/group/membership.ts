import type { MemberIdentity } from '../ports/group-coordinator.ts';

/**
 * Where a member stands with its coordinator: `out` of the group; `joining`: a join is on its way, and what the
 * member has is still valid under the generation that it has; `syncing`: the coordinator counts a new generation, and
 * takes no commit until its shares are known; `in`.
 */
export type MembershipPhase = 'out' | 'joining' | 'syncing' | 'in';

/** Who we are to the coordinator, and when it has last heard of us. No input or output. */
export class Membership {
  readonly #groupInstanceId: string | undefined;
  readonly #sessionTimeoutMs: number;
  #heardMs = -Infinity;
  memberId = '';
  generationId = -1;
  phase: MembershipPhase = 'out';
  isLeader = false;

  constructor(groupInstanceId: string | undefined, sessionTimeoutMs: number) {
    this.#groupInstanceId = groupInstanceId;
    this.#sessionTimeoutMs = sessionTimeoutMs;
  }

  get identity(): MemberIdentity {
    const { memberId, generationId } = this;
    return { memberId, generationId, groupInstanceId: this.#groupInstanceId };
  }

  /** False: an answer to that identity says nothing of the present one. */
  isNow({ memberId, generationId }: MemberIdentity): boolean {
    return memberId === this.memberId && generationId === this.generationId;
  }

  /**
   * The coordinator has answered something that counts as a sign of life. @param sentMs when we asked: it counts the
   * session from then or later.
   */
  heard(sentMs: number): void {
    this.#heardMs = Math.max(this.#heardMs, sentMs);
  }

  /** Until then the coordinator keeps our place, whatever happens; from then on others may have it. */
  get sessionEndsMs(): number {
    return this.#heardMs + this.#sessionTimeoutMs;
  }

  /** The group goes on without us. @param forgetsId the coordinator does not know our id either. */
  leaveBehind(forgetsId: boolean): void {
    this.generationId = -1;
    this.isLeader = false;
    if (this.phase === 'in') this.phase = 'out';
    if (forgetsId) this.memberId = '';
  }
}
