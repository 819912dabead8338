/**
 * Where a member stands, for people: `joining` for the first time; `running`; `rebalancing`: the group shares out
 * anew, and what we keep goes on; `waiting`: the coordinator can't be reached or is moving; `stopping`; `stopped`.
 */
export type MemberState =
  'joining' | 'running' | 'rebalancing' | 'waiting' | 'stopping' | 'stopped';

export interface MemberFacts {
  readonly memberId: string;
  /** −1 while out of the group. */
  readonly generationId: number;
  readonly isLeader: boolean;
  /** Partitions that are ours now. */
  readonly partitions: number;
  /** Rebalances that this member has been through. */
  readonly rebalances: number;
  /** How often everything was lost. */
  readonly losses: number;
}
