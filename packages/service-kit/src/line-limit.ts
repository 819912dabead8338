const mostKeys = 1000;

/**
 * Keeps a log from saying the same thing again and again: of each key the first line passes, and then one in `everyMs`, which tells how many were held
 * back. An outage that each of two hundred lanes meets every second is one thing to know.
 */
export class LineLimit {
  readonly #everyMs: number;
  readonly #nowMs: () => number;
  readonly #told = new Map<string, { atMs: number; heldBack: number }>();

  /** @param options.nowMs monotonic. */
  constructor({ everyMs, nowMs }: { readonly everyMs: number; readonly nowMs: () => number }) {
    this.#everyMs = everyMs;
    this.#nowMs = nowMs;
  }

  /** Undefined if the line has to wait; else how many of its kind were held back since the last one. */
  admit(key: string): { readonly heldBack: number } | undefined {
    const nowMs = this.#nowMs();
    const last = this.#told.get(key);
    if (last && nowMs - last.atMs < this.#everyMs) {
      last.heldBack += 1;
      return undefined;
    }
    // Keys come from outside, such as a server's words: the oldest make room.
    this.#told.delete(key);
    const [oldest] = this.#told.keys();
    if (this.#told.size >= mostKeys && oldest !== undefined) this.#told.delete(oldest);
    this.#told.set(key, { atMs: nowMs, heldBack: 0 });
    return { heldBack: last?.heldBack ?? 0 };
  }
}
