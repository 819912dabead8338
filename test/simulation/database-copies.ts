import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { Chance } from './chance.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import type { Workload } from './workload.ts';

/** Copies of the whole database, and what becomes of the world when one is brought back. */
export class DatabaseCopies {
  readonly #postgres: SimulatedPostgres;
  readonly #workload: Workload;
  readonly #chance: Chance;
  readonly #onBroughtBack: (endLsn: Lsn) => void;
  /** Numbers of the copies of which the database is a descendant, in order. */
  #lineage: number[] = [];
  #taken = 0;
  broughtBack = 0;

  /** `onBroughtBack` is told where the log of the copy ends. */
  constructor(
    postgres: SimulatedPostgres,
    workload: Workload,
    chance: Chance,
    onBroughtBack: (endLsn: Lsn) => void,
  ) {
    this.#postgres = postgres;
    this.#workload = workload;
    this.#chance = chance;
    this.#onBroughtBack = onBroughtBack;
  }

  /**
   * Copies the database now. What it gives brings the copy back (the server is down then), or says false if the database has left the
   * copy's history meanwhile: a slot of an abandoned history has confirmed what a later one has overwritten in the topics, which
   * no relay can know.
   */
  take(): () => boolean {
    const data = this.#postgres.copy();
    const workload = this.#workload.copy();
    this.#taken += 1;
    const number = this.#taken;
    this.#lineage.push(number);
    return () => {
      const at = this.#lineage.indexOf(number);
      if (at < 0) return false;
      this.#lineage = this.#lineage.slice(0, at + 1);
      this.broughtBack += 1;
      this.#postgres.bringBack(data, this.#chance.happens(0.4));
      this.#workload.bringBack(workload);
      this.#onBroughtBack(data.log.endLsn);
      return true;
    };
  }
}
