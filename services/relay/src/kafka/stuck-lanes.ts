import type { RelayErrorCode } from '../errors.ts';

/** A partition that takes nothing. */
export interface StuckLane {
  /** `topic/partition`. */
  readonly lane: string;
  /** Of the last send that failed. */
  readonly code: RelayErrorCode;
  readonly attempt: number;
  readonly seconds: number;
}

/**
 * Which partitions take nothing, since when. One is stuck from its first failed send on, until a batch of its own is confirmed: what
 * other partitions confirm says nothing of it, so that one among many healthy ones is not hidden by them.
 */
export class StuckLanes {
  readonly #nowMs: () => number;
  readonly #lanes = new Map<
    string,
    { readonly sinceMs: number; readonly code: RelayErrorCode; readonly attempt: number }
  >();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  failed(lanes: readonly string[], code: RelayErrorCode, attempt: number): void {
    for (const lane of lanes) {
      const sinceMs = this.#lanes.get(lane)?.sinceMs ?? this.#nowMs();
      this.#lanes.set(lane, { sinceMs, code, attempt });
    }
  }

  confirmed(lane: string): void {
    this.#lanes.delete(lane);
  }

  /** A session has lanes of its own. */
  clear(): void {
    this.#lanes.clear();
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  /** The one that is stuck for longest first. */
  list(): readonly StuckLane[] {
    const nowMs = this.#nowMs();
    return Array.from(this.#lanes, ([lane, { sinceMs, code, attempt }]) => ({
      ...{ lane, code, attempt },
      seconds: (nowMs - sinceMs) / 1000,
    })).sort((a, b) => b.seconds - a.seconds);
  }
}
