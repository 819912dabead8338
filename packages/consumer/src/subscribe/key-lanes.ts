/** Stands for records without a key: no text of a key's bytes has this character. */
const keylessLane = '\u0100';

/** The lane of a record: its key byte for byte, so that keys that are no text never share one by accident. */
export function laneOf({ key }: { readonly key: Buffer | null }): string {
  return key === null ? keylessLane : key.toString('latin1');
}

/**
 * The keys of one partition of which a record is out, and the records that wait behind them, by number. A key of which nothing is out takes
 * no room here. Pure.
 * **Promise**: what waits in a lane comes out in the order in which it went in, and only after `release` for the one before.
 */
export class KeyLanes {
  /** By busy lane: numbers of what waits; undefined where nothing does. */
  readonly #busy = new Map<string, number[] | undefined>();
  /** Busy lanes with something to take and nothing out, oldest first. */
  readonly #ready = new Set<string>();
  #waiting = 0;

  /** How many records wait behind another one of their key. */
  get waiting(): number {
    return this.#waiting;
  }

  get isIdle(): boolean {
    return this.#busy.size === 0;
  }

  /** Puts the record behind the one of its key that is out, and gives true; false if there is none. */
  queue(lane: string, number: number): boolean {
    if (!this.#busy.has(lane)) return false;
    const queue = this.#busy.get(lane);
    if (queue) queue.push(number);
    else this.#busy.set(lane, [number]);
    this.#waiting += 1;
    return true;
  }

  /** A record of this lane is out from now on. */
  occupy(lane: string): void {
    if (!this.#busy.has(lane)) this.#busy.set(lane, undefined);
  }

  /** The next record of a lane that was released; it is out from now on. Undefined if there is none. */
  take(): number | undefined {
    for (const lane of this.#ready) {
      this.#ready.delete(lane);
      const number = this.#busy.get(lane)?.shift();
      if (number === undefined) continue;
      this.#waiting -= 1;
      return number;
    }
    return undefined;
  }

  /** The record of this lane that was out is done with. */
  release(lane: string): void {
    if (!this.#busy.has(lane)) return;
    const queue = this.#busy.get(lane);
    if (queue !== undefined && queue.length > 0) this.#ready.add(lane);
    else this.#busy.delete(lane);
  }
}
