import type { Chance } from '../../test/simulation/chance.ts';

/** When what happens, in milliseconds from the beginning of the load. */
export interface FaultPlan {
  readonly durationMs: number;
  /** Rising. */
  readonly killsMs: readonly number[];
  readonly outageFromMs: number;
}

/** Random moments, the same for the same seed: kills anywhere but at the very ends, one outage that ends well before the load does. */
export function faultPlan(
  chance: Chance,
  {
    durationMs,
    killCount,
    outageMs,
  }: { readonly durationMs: number; readonly killCount: number; readonly outageMs: number },
): FaultPlan {
  const edgeMs = 3000;
  if (durationMs < outageMs + 4 * edgeMs)
    throw new Error(
      `${durationMs} ms of load are too few for an outage of ${outageMs} ms: allow ${outageMs + 4 * edgeMs}`,
    );
  const killsMs = Array.from({ length: killCount }, () => chance.int(edgeMs, durationMs - edgeMs));
  return {
    durationMs,
    killsMs: killsMs.sort((a, b) => a - b),
    outageFromMs: chance.int(2 * edgeMs, durationMs - outageMs - 2 * edgeMs),
  };
}
