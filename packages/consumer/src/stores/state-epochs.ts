import { randomBytes } from 'node:crypto';

/**
 * From one clearing of a store to the next is an epoch; its name is random and stands beside every position. So a store
 * that has lost its clearing, whose positions are ahead of ours again, is told apart from one that somebody else
 * cleared or filled.
 */
export class StateEpochs {
  /** More than one only where a store of ours was written by an earlier release as well, which knew no epochs. */
  #now: ReadonlySet<string> = new Set([freshEpoch()]);
  readonly #before = new Set<string>();

  /** The one that new positions belong to. */
  get current(): string {
    const [first = ''] = this.#now;
    return first;
  }

  /** The store was cleared. */
  begin(): void {
    this.#change(new Set([freshEpoch()]));
  }

  /** What stands beside the positions counts from now on; a store without positions begins a new one. */
  adopt(found: Iterable<string>): void {
    const now = new Set(found);
    this.#change(now.size === 0 ? new Set([freshEpoch()]) : now);
  }

  /** Whose a position is: `now` and `before` are epochs that we have written in. */
  whenIs(epoch: string): 'now' | 'before' | 'never' {
    if (this.#now.has(epoch)) return 'now';
    return this.#before.has(epoch) ? 'before' : 'never';
  }

  #change(now: ReadonlySet<string>): void {
    for (const epoch of this.#now) this.#before.add(epoch);
    this.#now = now;
  }
}

function freshEpoch(): string {
  return randomBytes(9).toString('base64url');
}
