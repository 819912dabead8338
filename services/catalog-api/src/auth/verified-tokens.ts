import { createHash } from 'node:crypto';
import type { Principal } from './principal.ts';

interface Entry {
  readonly principal: Principal;
  readonly endsMs: number;
}

/**
 * Remembers whose token was verified until it ends, so that a caller's next request costs a hash and not a signature. Only verified tokens come in,
 * so nobody fills it with made-up ones; at the bound the one that was used least recently goes. Tokens are kept as SHA-256: a dump of the
 * memory shows none.
 */
export class VerifiedTokens {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The principal, if the token was verified and has not ended. @param nowMs since the epoch, as `exp` is. */
  get(token: string, nowMs: number): Principal | undefined {
    const key = hashOf(token);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (nowMs >= entry.endsMs) return undefined;
    // Last in the order of the map: used most recently.
    this.#entries.set(key, entry);
    return entry.principal;
  }

  set(token: string, entry: Entry): void {
    this.#entries.set(hashOf(token), entry);
    if (this.#entries.size <= this.#maxEntries) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
