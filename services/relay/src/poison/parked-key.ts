import type { ParkedState } from '@outbound/contract';

/** A parked key, as the session knows it. */
export interface ParkedKey {
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly state: ParkedState;
}
