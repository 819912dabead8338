/**
 * What is done in a round. `one-move` and `one-member` leave calm between the disturbances and write live traffic only, for the pauses that they cause;
 * `mixed` is any of `mixedKinds`, in turns, and `transactions` the same with live traffic of transactions, two of five aborted.
 */
export const nemesisKinds = [
  'reassign',
  'election',
  'kill',
  'stop',
  'hang',
  'rolling',
  'coordinator',
  'members',
  'mixed',
  'transactions',
  'one-move',
  'one-member',
] as const;
export type NemesisKind = (typeof nemesisKinds)[number];

export const mixedKinds = ['reassign', 'election', 'kill', 'stop', 'hang', 'members'] as const;

/** How many disturbances a round of the kind has. */
export const counts: Readonly<Record<NemesisKind, number>> = {
  reassign: 6,
  election: 4,
  kill: 3,
  stop: 3,
  hang: 2,
  rolling: 3,
  coordinator: 3,
  members: 6,
  mixed: 6,
  transactions: 6,
  'one-move': 5,
  'one-member': 3,
};

/** The calm before each disturbance and after the last, milliseconds; of the others up to 1.5 s. */
export const calmMs: Readonly<Partial<Record<NemesisKind, number>>> = {
  'one-move': 5_000,
  'one-member': 12_000,
};
