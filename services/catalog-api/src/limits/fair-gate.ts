import { ApiError } from '../errors.ts';

interface Waiter {
  readonly admit: () => void;
  /** Takes it out of the line. */
  readonly refuse: () => void;
  /** Counts up over all callers: who has waited longest has the lowest. */
  readonly turn: number;
}

interface Caller {
  running: number;
  readonly waiting: Waiter[];
}

/** Bounds of the gate. */
export interface FairGateOptions {
  /** Most requests that run at a time: the connections of the pool. */
  readonly capacity: number;
  /** Most of one caller. Below `capacity`, so that whatever one does, others find a place. */
  readonly perCaller: number;
  /** Most requests that wait, of all callers. Who comes beyond it is refused, or takes the place of the last one of a caller who has more in the line than he. */
  readonly maxWaiting: number;
  /** Longest wait. */
  readonly waitMs: number;
}

/**
 * Lets requests to the database so that no caller can take it from the others: a caller has a bounded share of the connections, and a place that becomes free goes to
 * the caller who has the fewest, not to whoever has the most requests in a line. A caller whose requests wait for one locked row waits with his own share.
 */
export class FairGate {
  readonly #options: FairGateOptions;
  /** Only callers with something running or waiting: bounded as those are. */
  readonly #callers = new Map<string, Caller>();
  #running = 0;
  #waiting = 0;
  #turn = 0;

  constructor(options: FairGateOptions) {
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waiting;
  }

  get runningCount(): number {
    return this.#running;
  }

  /**
   * Resolves when the caller's request may run, with what must be called once it has; at once, without a promise, where there is a place.
   * @throws ApiError OVERLOADED when the line is full, the wait too long, or the place in a full line went to a caller with fewer.
   */
  enter(name: string): (() => void) | Promise<() => void> {
    const { capacity, perCaller, maxWaiting, waitMs } = this.#options;
    const caller = this.#callers.get(name) ?? { running: 0, waiting: [] };
    if (this.#running < capacity && caller.running < perCaller) {
      this.#callers.set(name, caller);
      return this.#start(name, caller);
    }
    if (this.#waiting >= maxWaiting && !this.#makeRoomFor(caller)) throw overloaded();
    this.#callers.set(name, caller);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        turn: this.#turn++,
        admit: () => {
          clearTimeout(timer);
          resolve(this.#start(name, caller));
        },
        refuse: () => {
          clearTimeout(timer);
          caller.waiting.splice(caller.waiting.indexOf(waiter), 1);
          this.#waiting -= 1;
          this.#forget(name, caller);
          reject(overloaded());
        },
      };
      const timer = setTimeout(waiter.refuse, waitMs);
      caller.waiting.push(waiter);
      this.#waiting += 1;
    });
  }

  /** @returns whether somebody with more in the line than this caller would have gave way. */
  #makeRoomFor(newcomer: Caller): boolean {
    let largest = newcomer;
    for (const caller of this.#callers.values())
      if (caller.waiting.length > largest.waiting.length) largest = caller;
    if (largest.waiting.length <= newcomer.waiting.length + 1) return false;
    largest.waiting.at(-1)?.refuse();
    return true;
  }

  #start(name: string, caller: Caller): () => void {
    this.#running += 1;
    caller.running += 1;
    let isRunning = true;
    return () => {
      if (!isRunning) return;
      isRunning = false;
      this.#running -= 1;
      caller.running -= 1;
      this.#forget(name, caller);
      this.#admitNext();
    };
  }

  #admitNext(): void {
    const { capacity, perCaller } = this.#options;
    if (this.#waiting === 0 || this.#running >= capacity) return;
    let next: Caller | undefined;
    for (const caller of this.#callers.values())
      if (caller.waiting[0] !== undefined && caller.running < perCaller && isBefore(caller, next))
        next = caller;
    const waiter = next?.waiting.shift();
    if (waiter === undefined) return;
    this.#waiting -= 1;
    waiter.admit();
  }

  #forget(name: string, { running, waiting }: Caller): void {
    if (running === 0 && waiting.length === 0) this.#callers.delete(name);
  }
}

/** Fewest running first; of equals, who has waited longest. */
function isBefore(a: Caller, b: Caller | undefined): boolean {
  if (b === undefined) return true;
  if (a.running !== b.running) return a.running < b.running;
  return (a.waiting[0]?.turn ?? 0) < (b.waiting[0]?.turn ?? 0);
}

function overloaded(): ApiError {
  return new ApiError(
    'OVERLOADED',
    'Too many requests wait for the database. Nothing was written; try again.',
    { retryAfterSeconds: 1 },
  );
}
