import type { RelayErrorCode } from '../../services/relay/src/errors.ts';
import { recordHeader } from '@outbound/contract';
import { beginningMs } from './life.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import type { SimulatedPostgres, SlotState } from './simulated-postgres.ts';
import { itemChange, type Workload } from './workload.ts';
import type { OutboxRow } from './wal-log.ts';

const haltCodes = {
  dropped: 'SOURCE_SLOT_MISSING',
  lost: 'SOURCE_SLOT_INVALIDATED',
} as const satisfies Record<Exclude<SlotState, 'there'>, RelayErrorCode>;

/** Until what was asked before a slot was made anew has been answered, and the relay has said so. */
const underWayMs = 1000;

/** A slot that is gone, the person who then runs `outbound recover`, and whether relays halt for it, and for it alone. */
export class SlotLoss {
  readonly #postgres: SimulatedPostgres;
  readonly #kafka: SimulatedKafka;
  readonly #workload: Workload;
  #lastCode: RelayErrorCode | undefined;
  /** What relays that were under way when the slot was made anew may still halt with, though it is lost in another way since. */
  #underWay: { readonly code: RelayErrorCode; readonly untilMs: number } | undefined;
  /** Relays that have halted for it since. */
  halts = 0;
  losses = 0;

  constructor(postgres: SimulatedPostgres, kafka: SimulatedKafka, workload: Workload) {
    this.#postgres = postgres;
    this.#kafka = kafka;
    this.#workload = workload;
  }

  lose(how: Exclude<SlotState, 'there'>): void {
    this.losses += 1;
    this.halts = 0;
    this.#lastCode = haltCodes[how];
    this.#postgres.loseSlot(how);
  }

  /** Whether a relay is right to halt with this code; one that was under way when the slot was made anew still is. */
  asksFor(code: RelayErrorCode): boolean {
    const { nowMs } = this.#postgres.scheduler;
    if (code !== this.#lastCode)
      return code === this.#underWay?.code && nowMs <= this.#underWay.untilMs;
    this.halts += 1;
    return true;
  }

  /** As `outbound recover`: a slot at the end of the log, and behind it what is missing in a topic, in order. */
  recover(): void {
    const { log, scheduler } = this.#postgres;
    if (this.#lastCode)
      this.#underWay = { code: this.#lastCode, untilMs: scheduler.nowMs + underWayMs };
    this.#postgres.makeSlot();
    const isMissing = this.#missing();
    const rows = new Map<string, OutboxRow>();
    for (const transaction of log.transactions)
      for (const row of transaction.rows) if (isMissing(row.eid)) rows.set(row.eid, row);
    if (rows.size === 0) return;
    const { commitEndLsn } = log.commit({
      xid: log.nextXid(),
      commitTimeMs: beginningMs + scheduler.nowMs,
      rows: [...rows.values()],
      hasForeignRow: false,
    });
    this.#workload.committedAgain(rows, commitEndLsn);
    this.#postgres.wrote();
  }

  #missing(): (eid: string) => boolean {
    const found = new Map(itemChange.routes.map(({ topic }) => [topic, new Set<string>()]));
    for (const { log } of this.#kafka.partitions.values())
      for (const { record, isForeign } of log.records.slice(0, log.highWatermark))
        if (!isForeign) found.get(record.topic)?.add(record.headers[recordHeader.id] ?? '');
    return (eid) => [...found.values()].some((eids) => !eids.has(eid));
  }
}
