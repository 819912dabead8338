import { setTimeout as sleep } from 'node:timers/promises';
import {
  judgeWal,
  slotHealth,
  slotHealthSql,
  WalGrowth,
  walText,
  type SlotHealthRow,
  type WalBudget,
  type WalVerdict,
} from '@outbound/service-kit';
import type pg from 'pg';

/** The slot as the server sees it now. Null is what the server does not say. */
export interface SlotStatus {
  readonly name: string;
  /** True while a relay reads it. */
  readonly active: boolean;
  /** `reserved`, `extended`, `unreserved` (the next checkpoint may give it up) or `lost`. */
  readonly wal_status: string | null;
  readonly confirmed_flush_lsn: string | null;
  readonly restart_lsn: string | null;
  /** Log written beyond what is confirmed. */
  readonly lag_bytes: number | null;
  /** Log that is kept, from restart_lsn on. */
  readonly retained_bytes: number | null;
  /** Log that may still be written before the slot is given up; null without a limit. */
  readonly safe_bytes: number | null;
  /** What keeps the log, where it can be said. */
  readonly kept_by: string | null;
  readonly budget: BudgetStatus;
}

/** How the log that is kept for the slot stands against its budget: what the relay's readiness says too. */
export interface BudgetStatus {
  readonly state: WalVerdict['state'];
  readonly warn_bytes: number | null;
  readonly alarm_bytes: number | null;
  readonly limit_bytes: number | null;
  /** Over `growth_window_seconds` until now. */
  readonly growth_bytes_per_second: number | null;
  readonly growth_window_seconds: number | null;
  /** Until the slot is given up, at that rate; null where there is no limit, no growth, or no knowledge. */
  readonly seconds_left: number | null;
  readonly cause: string | null;
  readonly remedy: string | null;
  /** Transactions since which vacuum can remove no dead row of a catalog because of the slot. */
  readonly catalog_xmin_age: number | null;
  /** All of it in one line. */
  readonly says: string;
}

/** A look by hand has no history: it looks twice, so far apart. */
const secondLookMs = 1000;
const growthWindow = { windowMs: 300_000, leastMs: secondLookMs / 2 };

/** Asks the server about one slot; of a reader that is kept, the rate of growth is that of the time since its first look, five minutes at the most. */
export class SlotReader {
  readonly #slot: string;
  readonly #budget: WalBudget;
  readonly #growth = new WalGrowth(growthWindow);

  constructor(slot: string, budget: WalBudget) {
    this.#slot = slot;
    this.#budget = budget;
  }

  /** Takes a second for the first look. Rejects if the server cannot be asked; state `unknown` if there is no such slot. */
  async judge(pool: pg.Pool): Promise<WalVerdict> {
    const first = await this.#look(pool);
    if (this.#growth.rate || !first.health || first.state === 'lost') return first;
    await sleep(secondLookMs);
    return this.#look(pool);
  }

  /** @returns undefined if there is no such slot. */
  async read(pool: pg.Pool): Promise<SlotStatus | undefined> {
    return slotStatus(this.#slot, await this.judge(pool));
  }

  async #look(pool: pg.Pool): Promise<WalVerdict> {
    const { rows } = await pool.query<SlotHealthRow>(slotHealthSql, [this.#slot]);
    const health = rows[0] && slotHealth(rows[0]);
    this.#growth.observe(performance.now(), health);
    return judgeWal(health, this.#growth.rate, this.#budget);
  }
}

/** The verdict under the names of the status. Pure. */
export function slotStatus(name: string, verdict: WalVerdict): SlotStatus | undefined {
  const { health, thresholds, growth, holder, secondsLeft, state } = verdict;
  if (!health) return undefined;
  return {
    name,
    active: health.isActive,
    wal_status: health.walStatus ?? null,
    confirmed_flush_lsn: health.confirmedFlushLsn ?? null,
    restart_lsn: health.restartLsn ?? null,
    lag_bytes: health.lagBytes ?? null,
    retained_bytes: health.retainedBytes ?? null,
    safe_bytes: health.safeBytes ?? null,
    kept_by: holder?.because ?? null,
    budget: {
      state,
      warn_bytes: thresholds?.warnBytes ?? null,
      alarm_bytes: thresholds?.alarmBytes ?? null,
      limit_bytes: health.limitBytes ?? null,
      growth_bytes_per_second: growth?.bytesPerSecond ?? null,
      growth_window_seconds: growth?.windowSeconds ?? null,
      seconds_left: secondsLeft === Infinity ? null : (secondsLeft ?? null),
      cause: holder?.cause ?? null,
      remedy: holder?.remedy ?? null,
      catalog_xmin_age: health.catalogXminAge ?? null,
      says: walText(verdict),
    },
  };
}
