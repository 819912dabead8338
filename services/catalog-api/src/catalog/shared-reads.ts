/** Most ids of one question, so that its answer has a bound. */
const mostIds = 32;

interface Reader<Found> {
  readonly resolve: (found: Found | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads by id that are asked for in one turn of the event loop become one question: when the machine is busy, a round trip for each costs more than all the rest of them. Whoever asks alone waits for
 * nobody but the end of the turn.
 * **Order**: the question is put after all who share it have asked, so each is answered with what was committed before.
 */
export class SharedReads<Found> {
  readonly #readMany: (ids: readonly string[]) => Promise<ReadonlyMap<string, Found>>;
  #waiting = new Map<string, Reader<Found>[]>();

  /** @param readMany gives what there is of these ids, each once; what it throws is told to all who asked. */
  constructor(readMany: (ids: readonly string[]) => Promise<ReadonlyMap<string, Found>>) {
    this.#readMany = readMany;
  }

  /** What there is under the id, or undefined. */
  read(id: string): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) setImmediate(() => this.#ask());
      const readers = this.#waiting.get(id);
      if (readers === undefined) this.#waiting.set(id, [{ resolve, reject }]);
      else readers.push({ resolve, reject });
      if (this.#waiting.size >= mostIds) this.#ask();
    });
  }

  #ask(): void {
    const asked = this.#waiting;
    if (asked.size === 0) return;
    this.#waiting = new Map();
    this.#readMany([...asked.keys()]).then(
      (found) => {
        for (const [id, readers] of asked)
          for (const { resolve } of readers) resolve(found.get(id));
      },
      (error: unknown) => {
        for (const readers of asked.values()) for (const { reject } of readers) reject(error);
      },
    );
  }
}
