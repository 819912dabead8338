import { changeRoute, defineEventType, stateRoute, type EventType } from '@outbound/contract';
import { z } from 'zod';
import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { CommittedEvent, FinalRow } from '../history/history.ts';
import { contentHash } from '../history/content-hash.ts';
import type { Chance } from './chance.ts';
import { beginningMs } from './life.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import { walSenderTimeoutMs } from './wal-sender.ts';
import type { OutboxRow } from './wal-log.ts';

/** The event type of every schedule: both kinds of route, as the catalog's. */
export const itemChange: EventType = defineEventType({
  name: 'sim.item-change',
  category: 'data',
  owner: 'simulation',
  audience: 'component-internal',
  version: '1.0.0',
  dataType: 'sim.item',
  value: z.unknown(),
  orderingKeyFields: ['data.version'],
  orderingInstanceIds: ['data.id'],
  compatibilityMode: 'compatible',
  routes: [
    changeRoute('sim.item-change', { partitions: 3, retentionMs: 1 }),
    stateRoute('sim.item', { partitions: 3, retentionMs: 1 }),
  ],
});

/** The same entities, by a type that not every relay knows. */
export const itemChangeNext: EventType = defineEventType({
  ...itemChange,
  name: 'sim.item-change.v2',
});

export const largestPayloadBytes = 700;
/** Of an event that is poison while the topics take less: at the least, and at the most. */
const oversizeBytes = [6000, 8000] as const;

interface ItemState {
  readonly version: number;
  readonly isDeleted: boolean;
}

interface Item {
  readonly id: string;
  version: number;
  isDeleted: boolean;
  isLocked: boolean;
  /** What other transactions see of it. */
  committed: ItemState;
}

/** What the database holds of the workload at a moment. */
export interface WorkloadCopy {
  readonly committed: readonly CommittedEvent[];
  readonly items: readonly ItemState[];
}

export interface WorkloadPlan {
  readonly items: number;
  /** Mean milliseconds between transactions. */
  readonly gapMs: number;
  /** Probability of a transaction that changes an item many times. */
  readonly large: number;
  /** Probability that an event is of a type that not every relay knows. */
  readonly unknown: number;
  /** Probability that an event is larger than the topics take, as long as they are small. */
  readonly oversize: number;
  /** How many transactions take the server long to decode. */
  readonly slow: number;
  /** When the last transaction begins. */
  readonly untilMs: number;
}

/**
 * Writes to the database as the API does: the row lock gives an item's versions in commit order, long transactions overlap short ones,
 * some roll back, other tables write too.
 */
export class Workload {
  /** In the present history of the database. */
  committed: CommittedEvent[] = [];
  /** Ids of events that were committed in a history which the database does not have any more. */
  readonly lost = new Set<string>();
  readonly rolledBack: string[] = [];
  readonly #postgres: SimulatedPostgres;
  readonly #chance: Chance;
  readonly #plan: WorkloadPlan;
  readonly #items: Item[];
  #open = 0;
  #slowLeft: number;
  #histories = 0;
  /** How many events the database had when it was last brought back. */
  #sharedEvents = 0;

  constructor(postgres: SimulatedPostgres, chance: Chance, plan: WorkloadPlan) {
    this.#postgres = postgres;
    this.#chance = chance;
    this.#plan = plan;
    this.#slowLeft = plan.slow;
    this.#items = Array.from({ length: plan.items }, (_, index) => ({
      id: index === 0 ? 'ä item/0' : chance.uuid(),
      version: 0,
      isDeleted: true,
      isLocked: false,
      committed: { version: 0, isDeleted: true },
    }));
  }

  get isOver(): boolean {
    return this.#postgres.scheduler.nowMs > this.#plan.untilMs && this.#open === 0;
  }

  start(): void {
    this.#transactions();
    this.#elsewhere();
  }

  copy(): WorkloadCopy {
    return {
      committed: [...this.committed],
      items: this.#items.map(({ committed }) => committed),
    };
  }

  /** The database is as it was then. Who is in a transaction finds the connection broken. */
  bringBack({ committed, items }: WorkloadCopy): void {
    for (const { eid } of this.committed.slice(committed.length)) this.lost.add(eid);
    this.committed = [...committed];
    this.#sharedEvents = committed.length;
    this.#histories += 1;
    for (const [index, item] of this.#items.entries()) {
      const state = items[index] ?? item.committed;
      Object.assign(item, state, { isLocked: false, committed: state });
    }
  }

  /** These events were written again, as they are, and end there now. */
  committedAgain(eids: ReadonlyMap<string, unknown>, commitEndLsn: Lsn): void {
    this.committed = this.committed.map((event) =>
      eids.has(event.eid) ? { ...event, commitEndLsn } : event,
    );
  }

  /** Items that have changed since the database was last brought back. */
  get changedSince(): ReadonlySet<string> {
    return new Set(this.committed.slice(this.#sharedEvents).map(({ aggregateId }) => aggregateId));
  }

  finalRows(): FinalRow[] {
    return this.#items
      .filter(({ version }) => version > 0)
      .map(({ id, version, isDeleted }) => ({ aggregateId: id, version, isDeleted }));
  }

  #transactions(): void {
    const { scheduler } = this.#postgres;
    scheduler.after(this.#chance.gap(this.#plan.gapMs), () => {
      if (scheduler.nowMs > this.#plan.untilMs) return;
      if (this.#postgres.canWrite) this.#begin();
      this.#transactions();
    });
  }

  /** Other tables write, and the server makes checkpoints. */
  #elsewhere(): void {
    const { scheduler } = this.#postgres;
    scheduler.after(this.#chance.gap(700), () => {
      if (scheduler.nowMs > this.#plan.untilMs) return;
      if (this.#postgres.canWrite) {
        this.#postgres.log.grow(this.#chance.int(8, 4000));
        this.#postgres.wrote();
        if (this.#chance.happens(0.3)) this.#postgres.checkpoint();
      }
      this.#elsewhere();
    });
  }

  #begin(): void {
    const chance = this.#chance;
    const free = chance.shuffled(this.#items.filter(({ isLocked }) => !isLocked));
    const items = free.slice(0, chance.happens(0.7) ? 1 : chance.int(1, 3));
    if (items.length === 0) return;
    const rows: OutboxRow[] = [];
    const xid = this.#postgres.log.nextXid();
    const changes = chance.happens(this.#plan.large) ? chance.int(12, 50) : items.length;
    for (let change = 0; change < changes; change += 1)
      rows.push(this.#change(items[change % items.length] ?? chance.pick(items)));
    for (const item of items) item.isLocked = true;
    this.#open += 1;
    // Its rows are in the log before it commits; what commits meanwhile comes out first.
    if (chance.happens(0.6)) this.#postgres.log.grow(rows.length * 64);
    const openMs = chance.happens(0.15) ? chance.between(50, 3000) : chance.between(0, 20);
    const history = this.#histories;
    this.#postgres.scheduler.after(openMs, () => {
      this.#open -= 1;
      if (history !== this.#histories) {
        this.rolledBack.push(...rows.map(({ eid }) => eid));
        return;
      }
      for (const item of items) item.isLocked = false;
      if (this.#postgres.canWrite && !chance.happens(0.08)) {
        for (const item of items)
          item.committed = { version: item.version, isDeleted: item.isDeleted };
        return this.#commit(xid, rows);
      }
      for (const item of items) Object.assign(item, item.committed);
      this.rolledBack.push(...rows.map(({ eid }) => eid));
      this.#postgres.log.grow(40);
    });
  }

  #commit(xid: number, rows: readonly OutboxRow[]): void {
    const { log, scheduler } = this.#postgres;
    const logged = log.commit({
      xid,
      commitTimeMs: beginningMs + scheduler.nowMs,
      rows,
      hasForeignRow: this.#chance.happens(0.2),
      ...(this.#slowLeft > 0 && this.#chance.happens(0.1) ? this.#slow() : {}),
    });
    for (const row of rows)
      this.committed.push({
        eid: row.eid,
        type: row.type,
        aggregateId: row.aggregateId,
        version: row.version,
        dataOp: row.dataOp,
        valueHash: contentHash(row.payload),
        commitEndLsn: logged.commitEndLsn,
      });
    this.#postgres.wrote();
  }

  /** Longer than a relay waits for a server that says nothing, whatever it is. */
  #slow(): { decodeMs: number } {
    this.#slowLeft -= 1;
    return { decodeMs: this.#chance.between(2.2, 4) * walSenderTimeoutMs };
  }

  #change(item: Item): OutboxRow {
    const chance = this.#chance;
    item.version += 1;
    const dataOp = item.isDeleted
      ? 'C'
      : chance.happens(0.2)
        ? 'D'
        : chance.happens(0.05)
          ? 'S'
          : 'U';
    item.isDeleted = dataOp === 'D';
    const { unknown, oversize } = this.#plan;
    const isOversize = oversize > 0 && chance.happens(oversize);
    const filler = isOversize
      ? 'z'.repeat(chance.int(...oversizeBytes))
      : 'x\u00e9'.repeat(chance.int(0, (largestPayloadBytes - 200) / 3));
    return {
      eid: chance.uuid(),
      aggregateType: itemChange.dataType,
      aggregateId: item.id,
      type: unknown > 0 && chance.happens(unknown) ? itemChangeNext.name : itemChange.name,
      version: item.version,
      dataOp,
      payload: Buffer.from(
        `{ "data" : {"id":${JSON.stringify(item.id)},"version":${item.version},"n":12345678901234567890,"text":"${filler}"}}`,
      ),
      headers: chance.happens(0.5) ? '{}' : '{"flow_id":"f-1"}',
      createdAt: '2026-01-01 00:00:00.123456+00',
    };
  }
}
