import { recordHeader } from '@outbound/contract';
import type { Chance } from '../chance.ts';
import { beginningMs } from '../life.ts';
import { itemChange } from '../workload.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { LoggedEvent } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

interface Key {
  readonly name: string;
  readonly partition: number;
  version: number;
  isDeleted: boolean;
  /** In a transaction that has not ended. */
  isLocked: boolean;
}

export interface WriterPlan {
  readonly keysPerPartition: number;
  /** Mean milliseconds between two writes. */
  readonly gapMs: number;
  readonly eventsPerBatch: number;
  /** Share of the writes that are transactions, and how many of these are aborted. */
  readonly transactions: number;
  readonly aborts: number;
  /** How long a long transaction stays open, at most. */
  readonly openMs: number;
  readonly untilMs: number;
  /** Before the ids and keys of this writer's events, where there is another one. */
  readonly prefix?: string;
}

interface Transaction {
  readonly producerId: number;
  readonly touched: Set<SimulatedPartition>;
  readonly before: Map<Key, { readonly version: number; readonly isDeleted: boolean }>;
}

const firstProducerId = 4000;
/** A longer schedule shows nothing that two do not. */
const maxEvents = 600;

/**
 * Writes events as the relay and other people's transactional producers do: versions of a key are contiguous in what is committed, a key stays in its partition,
 * transactions interleave. Writes that find no leader are left out, and made later with the next event of the key.
 */
export class EventWriter {
  readonly #cluster: SimulatedCluster;
  readonly #chance: Chance;
  readonly #topic: string;
  readonly #plan: WriterPlan;
  readonly #keys: Key[] = [];
  #events = 0;
  #nextProducer = firstProducerId;
  #open = 0;
  readonly #isIdempotent: boolean;

  constructor(cluster: SimulatedCluster, chance: Chance, topic: string, plan: WriterPlan) {
    this.#cluster = cluster;
    this.#chance = chance;
    this.#topic = topic;
    this.#plan = plan;
    this.#isIdempotent = chance.happens(0.5);
  }

  get isOver(): boolean {
    return this.#cluster.scheduler.nowMs > this.#plan.untilMs && this.#open === 0;
  }

  get written(): number {
    return this.#events;
  }

  /** A backlog, then writes from time to time. */
  start(backlog: number): void {
    this.#meetPartitions();
    // A transaction writes later, and locks its keys until then.
    for (let writes = 0; writes < backlog && this.#events < backlog; writes += 1) this.#write();
    this.#goOn();
  }

  /** Forgets what it wrote: the topic was made again. */
  beginAgain(): void {
    this.#keys.length = 0;
    this.#meetPartitions();
  }

  /** An election has lost what only the old leader had; the producer sends it again. */
  writeAgain(partition: SimulatedPartition, events: readonly LoggedEvent[]): void {
    if (events.length === 0) return;
    partition.log.append(events, this.#at(partition));
    this.#cluster.replicate(partition);
  }

  /** One write now, unless it has been enough. */
  write(): void {
    if (this.#events >= maxEvents) return;
    this.#meetPartitions();
    this.#write();
  }

  #goOn(): void {
    const { scheduler } = this.#cluster;
    scheduler.after(this.#chance.gap(this.#plan.gapMs), () => {
      if (scheduler.nowMs > this.#plan.untilMs) return;
      this.write();
      this.#goOn();
    });
  }

  #write(): void {
    if (this.#chance.happens(this.#plan.transactions)) this.#transaction();
    else this.#batch();
  }

  #batch(): void {
    const chance = this.#chance;
    const free = this.#keys.filter(({ isLocked }) => !isLocked);
    if (free.length === 0) return;
    const first = chance.pick(free);
    const same = free.filter(({ partition }) => partition === first.partition);
    const partition = this.#leading(first.partition);
    if (!partition) return;
    const count = chance.int(1, this.#plan.eventsPerBatch);
    const events = Array.from({ length: count }, () => this.#event(chance.pick(same)));
    const producer = this.#isIdempotent ? { id: 1, isTransactional: false } : undefined;
    partition.log.append(events, this.#at(partition), producer);
    this.#cluster.replicate(partition);
  }

  #transaction(): void {
    const chance = this.#chance;
    const transaction: Transaction = {
      // A few transactional ids, each with one transaction at a time: a new number while the old one is open.
      producerId: this.#nextProducer,
      touched: new Set(),
      before: new Map(),
    };
    this.#nextProducer =
      this.#open > 0 ? this.#nextProducer + 1 : chance.int(firstProducerId, this.#nextProducer);
    if (this.#isBusy(transaction.producerId)) return;
    this.#open += 1;
    const steps = chance.int(1, 4);
    const isLong = chance.happens(0.2);
    const gapMs = (isLong ? this.#plan.openMs : 60) / steps;
    const step = (left: number): void => {
      if (left === 0) return this.#end(transaction);
      this.#writeIn(transaction);
      this.#cluster.scheduler.after(chance.between(0, gapMs), () => step(left - 1));
    };
    step(steps);
  }

  #writeIn(transaction: Transaction): void {
    const chance = this.#chance;
    const mine = this.#keys.filter((key) => !key.isLocked || transaction.before.has(key));
    if (mine.length === 0) return;
    const first = chance.pick(mine);
    const partition = this.#leading(first.partition);
    if (!partition) return;
    const same = mine.filter((key) => key.partition === first.partition);
    const count = chance.int(1, this.#plan.eventsPerBatch);
    const events = Array.from({ length: count }, () => {
      const key = chance.pick(same);
      if (!transaction.before.has(key))
        transaction.before.set(key, { version: key.version, isDeleted: key.isDeleted });
      key.isLocked = true;
      return this.#event(key);
    });
    const producer = { id: transaction.producerId, isTransactional: true };
    partition.log.append(events, this.#at(partition), producer);
    transaction.touched.add(partition);
    this.#cluster.replicate(partition);
  }

  #end(transaction: Transaction): void {
    const isAborted = this.#chance.happens(this.#plan.aborts);
    for (const [key, before] of transaction.before) {
      key.isLocked = false;
      if (isAborted) Object.assign(key, before);
    }
    for (const partition of transaction.touched) {
      partition.log.endTransaction(
        transaction.producerId,
        isAborted ? 'abort' : 'commit',
        this.#at(partition),
      );
      this.#cluster.replicate(partition);
    }
    this.#open -= 1;
  }

  #isBusy(producerId: number): boolean {
    return this.#cluster.partitions().some(({ log }) => log.hasOpenTransaction(producerId));
  }

  #event(key: Key): LoggedEvent {
    const chance = this.#chance;
    this.#events += 1;
    key.version += 1;
    const isTombstone = !key.isDeleted && chance.happens(0.15);
    key.isDeleted = isTombstone;
    const eid = `${this.#plan.prefix ?? ''}e${this.#events}`;
    const filler = 'x'.repeat(chance.happens(0.1) ? chance.int(100, 900) : chance.int(0, 40));
    const value = {
      metadata: { eid, event_type: itemChange.name, version: itemChange.version },
      data_op: 'U',
      data: { id: key.name, version: key.version, filler },
    };
    return {
      eid,
      key: key.name,
      version: key.version,
      isTombstone,
      bytes: {
        key: Buffer.from(key.name),
        value: isTombstone ? null : Buffer.from(JSON.stringify(value)),
        headers: [
          [recordHeader.id, eid],
          [recordHeader.type, itemChange.name],
          [recordHeader.dataVersion, String(key.version)],
        ],
      },
    };
  }

  #at({ leaderEpoch }: SimulatedPartition): { leaderEpoch: number; timestampMs: number } {
    return { leaderEpoch, timestampMs: beginningMs + Math.floor(this.#cluster.scheduler.nowMs) };
  }

  #leading(partition: number): SimulatedPartition | undefined {
    const found = this.#cluster.topic(this.#topic)?.partitions[partition];
    return found && found.leader > 0 && this.#cluster.isUp(found.leader) ? found : undefined;
  }

  /** Keys for partitions that are new to it; the keys that there are stay where they are. */
  #meetPartitions(): void {
    const topic = this.#cluster.topic(this.#topic);
    if (!topic) return;
    for (const { partition } of topic.partitions)
      if (!this.#keys.some((key) => key.partition === partition))
        for (let index = 0; index < this.#plan.keysPerPartition; index += 1)
          this.#keys.push({
            name: `${this.#plan.prefix ?? ''}k${topic.incarnation}-${partition}-${index}`,
            partition,
            version: 0,
            isDeleted: true,
            isLocked: false,
          });
  }
}
