import type { SlotHealth } from './slot-health.ts';

/**
 * The age of the oldest transaction for a role that may not see it: since it was seen first, by a monotonic clock, so that it is
 * never told older than it is. Who may see it is told what the server says.
 */
export class TransactionAge {
  #seen: { readonly xid: string; readonly sinceMs: number } | undefined;

  withAge(atMs: number, health: SlotHealth): SlotHealth {
    const { oldest } = health;
    if (oldest?.xid === undefined) {
      this.#seen = undefined;
      return health;
    }
    if (this.#seen?.xid !== oldest.xid) this.#seen = { xid: oldest.xid, sinceMs: atMs };
    const seconds = oldest.seconds ?? (atMs - this.#seen.sinceMs) / 1000;
    return { ...health, oldest: { ...oldest, seconds } };
  }
}
