/** Rows of the matrix that have no machine yet, each with the reason: the table shows them as not run. */
export interface MissingRow {
  readonly number: number;
  readonly fault: string;
  readonly why: string;
}

const notBuilt = 'no round is built yet';

export const missingRows: readonly MissingRow[] = (
  [[45, '24 h-in-1 h soak: random schedule of all above, seed printed']] as const
).map(([number, fault]) => ({ number, fault, why: notBuilt }));
