import type { TopicPartition } from '../ports/partition.ts';
import { names, type Held, type HeldPartitions } from './held-partitions.ts';
import { unlessAborted, Wake } from './wake.ts';

export interface RevocationParts {
  readonly held: HeldPartitions;
  /** The owner drains and commits; what it throws ends the member. */
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** Drained, and not ours any more. */
  onGivenUp(): void;
}

/** What must be given up, while its owner drains it: it stays ours until then, unless it gets lost meanwhile. */
export class Revocations {
  readonly #parts: RevocationParts;
  readonly #lost = new Wake();
  #last: Promise<void> | undefined;

  constructor(parts: RevocationParts) {
    this.#parts = parts;
  }

  /** Resolves when the owner has drained these and they are given up, or when none of them is ours any more. */
  async revoke(lives: readonly Held[]): Promise<void> {
    const { held } = this.#parts;
    const present = lives.filter((life) => held.has(life));
    if (present.length === 0) return;
    const revocation = this.#parts.onRevoked(names(present));
    this.#last = revocation;
    await this.#drained(revocation, present);
    held.giveUp(present);
    this.#parts.onGivenUp();
  }

  /** Everything, in the middle of whatever goes on; waits for what is being drained already, too. */
  async revokeAll(): Promise<void> {
    const { held } = this.#parts;
    const before = this.#last;
    const all = held.all();
    held.giveUp(all.filter(({ phase }) => phase === 'starting'));
    const rest = all.filter(({ phase }) => phase === 'running');
    const others = all.filter(({ phase }) => phase === 'revoking');
    for (const life of rest) life.phase = 'revoking';
    await Promise.all([before && this.#drained(before, others), this.revoke(rest)]);
  }

  /** Lives have been lost: nobody waits for their owner any longer. */
  lost(): void {
    this.#lost.wake();
  }

  /** Waits for the owner, as long as one of these is ours. */
  async #drained(revocation: Promise<void>, lives: readonly Held[]): Promise<void> {
    let isDone = false;
    const done = revocation.then(() => (isDone = true));
    while (!isDone && lives.some((life) => this.#parts.held.has(life)))
      await unlessAborted(done, this.#lost.signal);
  }
}
