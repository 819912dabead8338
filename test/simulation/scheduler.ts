/** Something that will happen at a virtual time. */
export interface Timer {
  cancel(): void;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Virtual time: things happen in order of their time, then of their planning, and between two of them every promise that can go on
 * has gone on. Nothing else moves the clock, so a run depends on its seed alone.
 */
export class Scheduler {
  #nowMs = 0;
  #order = 0;
  #steps = 0;
  readonly #heap: Entry[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many things have happened. */
  get steps(): number {
    return this.#steps;
  }

  after(ms: number, run: () => void): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order, run };
    this.#order += 1;
    this.#push(entry);
    return {
      cancel: () => {
        entry.run = undefined;
      },
    };
  }

  /**
   * Lets things happen until `isDone`, and gives true; or false when nothing is left, or the time has passed `untilMs`.
   * @throws whatever a planned step throws: a defect of the simulation or of the core.
   */
  run(untilMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (isDone()) return resolve(true);
          const next = this.#pop();
          if (!next) return resolve(false);
          if (next.atMs > untilMs) {
            this.#push(next);
            this.#nowMs = untilMs;
            return resolve(false);
          }
          this.#nowMs = next.atMs;
          this.#steps += 1;
          next.run?.();
        } catch (thrown) {
          return reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
        // An immediate runs after every microtask, however long the chain: the only complete drain there is.
        setImmediate(step);
      };
      setImmediate(step);
    });
  }

  #pop(): Entry | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (!top) return undefined;
      const last = this.#heap.pop();
      if (last && last !== top) {
        this.#heap[0] = last;
        this.#sink();
      }
      if (top.run) return top;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || !isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #sink(): void {
    const heap = this.#heap;
    const entry = heap[0];
    if (!entry) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      if (!left) break;
      const right = heap[2 * at + 2];
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (!isBefore(child, entry)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order;
}
