/** A bound that a release keeps to. */
export interface Floor {
  readonly name: string;
  /** `above`: at least the bound. `below`: less than it. */
  readonly side: 'above' | 'below';
  readonly bound: number;
  readonly measured: number;
  readonly unit: string;
}
