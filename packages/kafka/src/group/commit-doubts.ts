import type { Held } from './held-partitions.ts';

/**
 * After so long a position is committed once more when a commit had no answer. The first is for a request that lay at
 * a coordinator which hung or was slow; the second for one that lay in our own machine's send buffer, which tries
 * again every two minutes at the latest (Linux: TCP_RTO_MAX).
 */
const repeatAfterMs = [10_000, 150_000] as const;

/**
 * Commits without an answer, which may be carried out at any later time: over whatever was committed since, in the
 * same generation of the same member, so that nothing refuses them. The group would begin there again, before what it
 * has handled; or, after a seek back, behind what it was to handle again. So the position that counts is committed
 * once more when such a request can hardly be on its way any longer. No input or output.
 */
export class CommitDoubts {
  readonly #dueMs = new Map<Held, readonly number[]>();

  /** Their commit, or one of several, had no answer by now. */
  add(lives: Iterable<Held>, nowMs: number): void {
    for (const life of lives)
      this.#dueMs.set(
        life,
        repeatAfterMs.map((afterMs) => nowMs + afterMs),
      );
  }

  /** A commit that was sent then has an answer: it has come after whatever was to be repeated until then. */
  answered(lives: Iterable<Held>, sentMs: number): void {
    for (const life of lives) {
      const left = this.#dueMs.get(life)?.filter((dueMs) => dueMs > sentMs) ?? [];
      if (left.length > 0) this.#dueMs.set(life, left);
      else this.#dueMs.delete(life);
    }
  }

  /** Lives that have ended are nobody's concern: their generation refuses what comes late. */
  forget(isOver: (life: Held) => boolean): void {
    for (const life of this.#dueMs.keys()) if (isOver(life)) this.#dueMs.delete(life);
  }

  /** When something is to be repeated next; undefined if nothing is. */
  get nextMs(): number | undefined {
    const next = Math.min(...[...this.#dueMs.values()].map((dueMs) => Math.min(...dueMs)));
    return Number.isFinite(next) ? next : undefined;
  }

  /** What is to be committed once more by now. */
  due(nowMs: number): Held[] {
    return [...this.#dueMs].flatMap(([life, dueMs]) =>
      dueMs.some((each) => each <= nowMs) ? [life] : [],
    );
  }
}
