import type { Chance } from '../chance.ts';
import type { EventWriter } from './event-writer.ts';
import { fairWeather, type Network, type NetworkWeather } from './network.ts';
import type { ReaderHost } from './reader-host.ts';
import type { OperatorAct, ReaderOperator } from './reader-operator.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedCoordinator } from './simulated-coordinator.ts';
import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

const readerFaults = [
  'kill reader',
  'kill reader between two acts',
  'suspend reader',
  'suspend and replace reader',
  'terminate reader',
  'cut reader',
  'isolate reader',
] as const;

const brokerFaults = [
  'kill broker',
  'hang broker',
  'slow broker',
  'move leader, old one stays',
  'move leader, old one goes',
  'elect leader',
  'lose tail',
  'stick replication',
  'move coordinator',
  'lose answers',
  'lose requests',
  'delay',
  'slow news',
] as const;

const logFaults = ['clean', 'retain', 'grow topic', 'make topic again', 'burst'] as const;

export const readersFaultNames = [...readerFaults, ...brokerFaults, ...logFaults] as const;

export type ReadersFault = (typeof readersFaultNames)[number] | OperatorAct;

/** What loses events on a real cluster, by itself: leaders that move while much is read. */
export const movingFaults = [
  'move leader, old one goes',
  'move leader, old one goes',
  'move leader, old one stays',
  'terminate reader',
  'burst',
] as const satisfies readonly ReadersFault[];

export interface ReadersWorld {
  readonly cluster: SimulatedCluster;
  readonly network: Network;
  readonly coordinator: SimulatedCoordinator;
  readonly writer: EventWriter;
  readonly hosts: readonly ReaderHost[];
  /** Where readers are asked to do something while they run. */
  readonly operator?: ReaderOperator;
  readonly topic: string;
  /** Of another topic beside it. */
  readonly otherWriter?: EventWriter | undefined;
  /** How far retention may go in a partition: undefined where this schedule has none. */
  readonly retentionLimit: (partition: SimulatedPartition) => number | undefined;
  readonly sessionTimeoutMs: number;
  /** How long a deletion stays after it was first cleaned over; undefined: for ever. */
  readonly tombstonesLiveMs?: number;
  readonly trace: (what: string) => void;
}

export interface ReadersPlan {
  readonly faults: readonly ReadersFault[];
  /** Mean milliseconds between two faults. */
  readonly gapMs: number;
  readonly untilMs: number;
}

/** Breaks things at random times, and heals everything at the end. */
export class ReadersNemesis {
  readonly #world: ReadersWorld;
  readonly #chance: Chance;
  readonly #plan: ReadersPlan;
  #isHealed = false;
  readonly #cleanedMs = new WeakMap<LoggedRecord, number>();
  #grown = 0;
  #made = 0;
  bitten = 0;

  constructor(world: ReadersWorld, chance: Chance, plan: ReadersPlan) {
    this.#world = world;
    this.#chance = chance;
    this.#plan = plan;
  }

  start(): void {
    const { scheduler } = this.#world.cluster;
    if (this.#plan.faults.length === 0) return;
    scheduler.after(this.#chance.gap(this.#plan.gapMs), () => {
      if (this.#isHealed || scheduler.nowMs > this.#plan.untilMs) return;
      this.strike(this.#chance.pick(this.#plan.faults));
      this.start();
    });
  }

  healAll(): void {
    const { cluster, network, hosts, trace } = this.#world;
    this.#isHealed = true;
    trace('everything is healed');
    network.healAll();
    cluster.gossipMs = 200;
    for (const broker of cluster.brokerIds) cluster.heal(broker);
    for (const partition of cluster.partitions()) this.#unstick(partition);
    for (const host of hosts) host.wake();
    this.#world.operator?.healAll();
  }

  strike(fault: ReadersFault): void {
    const { cluster, coordinator, network, writer, trace, topic } = this.#world;
    const chance = this.#chance;
    this.bitten += 1;
    switch (fault) {
      case 'move leader, old one stays':
      case 'move leader, old one goes':
      case 'elect leader':
      case 'lose tail':
      case 'stick replication':
      case 'clean':
      case 'retain':
        return this.#strikePartition(fault);
      case 'kill broker':
      case 'hang broker':
      case 'slow broker':
        return this.#strikeBroker(fault);
      case 'seek back':
      case 'seek forward':
      case 'pause partition':
        return this.#world.operator?.act(fault, chance.pick(this.#world.hosts));
      case 'move coordinator':
        return coordinator.move();
      case 'lose answers':
        return this.#weather({ loseAnswer: chance.between(0.05, 0.7) });
      case 'lose requests':
        return this.#weather({ loseRequest: chance.between(0.05, 0.7) });
      case 'delay':
        return this.#weather({
          delay: chance.between(0.05, 0.7),
          delayMs: chance.between(50, 5000),
        });
      case 'slow news':
        cluster.gossipMs = chance.between(500, 4000);
        return this.#later(chance.between(500, 5000), () => {
          cluster.gossipMs = 200;
        });
      case 'grow topic':
        // Once or twice: what nobody does to a topic in seconds only makes a schedule long.
        this.#grown += 1;
        return this.#grown <= 2 ? cluster.grow(topic, 1) : undefined;
      case 'make topic again':
        this.#made += 1;
        if (this.#made > 2 || !cluster.topic(topic)) return;
        cluster.delete(topic);
        return this.#always(chance.between(1, 2500), () => {
          cluster.create(topic, chance.int(1, 3));
          writer.beginAgain();
          for (let events = chance.int(0, 12); events > 0; events -= 1) writer.write();
        });
      case 'burst':
        trace('a burst');
        for (let events = chance.int(10, 60); events > 0; events -= 1)
          (events % 2 === 0 ? (this.#world.otherWriter ?? writer) : writer).write();
        return;
      default:
        return this.#strikeReader(fault, network);
    }
  }

  #strikeReader(fault: (typeof readerFaults)[number], network: Network): void {
    const { hosts, trace, sessionTimeoutMs, cluster } = this.#world;
    const chance = this.#chance;
    const host = chance.pick(hosts);
    const { life } = host;
    switch (fault) {
      case 'kill reader':
        return life.kill();
      case 'kill reader between two acts': {
        const acts = chance.int(0, 12);
        trace(`${life.name} will die before act ${acts}`);
        return life.killAfter(acts);
      }
      case 'suspend reader':
      case 'suspend and replace reader': {
        const ms = chance.happens(0.4)
          ? chance.between(10, sessionTimeoutMs)
          : chance.between(sessionTimeoutMs, 3 * sessionTimeoutMs);
        trace(`${life.name} is suspended for ${Math.round(ms)} ms`);
        life.stop();
        if (fault === 'suspend and replace reader')
          this.#later(chance.between(0, ms), () => host.replaceSuspended());
        return this.#later(ms, () => {
          if (life.isStopped) trace(`${life.name} wakes up`);
          life.continue();
        });
      }
      case 'terminate reader':
        return host.terminate();
      case 'cut reader':
        trace(`${life.name} loses its connections`);
        return network.cutLife(life);
      case 'isolate reader': {
        const brokers = cluster.brokerIds.filter(() => chance.happens(0.6));
        trace(`${life.name} does not reach ${brokers.join(', ')}`);
        network.isolate(life, brokers);
        return this.#later(chance.between(200, 3 * sessionTimeoutMs), () => {
          network.isolate(life, []);
        });
      }
    }
  }

  #strikeBroker(fault: 'kill broker' | 'hang broker' | 'slow broker'): void {
    const { cluster, trace } = this.#world;
    const chance = this.#chance;
    const broker = chance.pick(cluster.brokerIds);
    trace(`${fault} ${broker}`);
    if (fault === 'kill broker') cluster.kill(broker);
    else if (fault === 'hang broker') cluster.hang(broker);
    else cluster.slow(broker, chance.between(20, 1500));
    this.#later(chance.between(100, 8000), () => {
      trace(`broker ${broker} is well again`);
      cluster.heal(broker);
    });
  }

  #strikePartition(
    fault:
      | 'move leader, old one stays'
      | 'move leader, old one goes'
      | 'elect leader'
      | 'lose tail'
      | 'stick replication'
      | 'clean'
      | 'retain',
  ): void {
    const { cluster, writer, trace } = this.#world;
    const chance = this.#chance;
    const partitions = cluster.partitions();
    if (partitions.length === 0) return;
    const partition = chance.pick(partitions);
    const { log, uid, leader } = partition;
    const others = chance.shuffled(
      cluster.brokerIds.filter((id) => id !== leader && cluster.isUp(id)),
    );
    switch (fault) {
      case 'move leader, old one stays':
        return others.length > 0 && leader > 0
          ? cluster.reassign(partition, [...others.slice(0, 1), leader])
          : undefined;
      case 'move leader, old one goes':
        return others.length > 0
          ? cluster.reassign(partition, others.slice(0, chance.int(1, 2)))
          : undefined;
      case 'elect leader':
        return cluster.electOther(partition);
      case 'lose tail': {
        if (partition.replicas.length < 2) return;
        const lost = log.cutTo(partition.committedTo);
        trace(`${uid} loses what only broker ${leader} had: ${lost.length} events`);
        cluster.electOther(partition);
        return writer.writeAgain(partition, lost);
      }
      case 'stick replication':
        trace(`${uid} is not replicated for a while`);
        partition.isReplicationStuck = true;
        return this.#later(chance.between(100, 4000), () => this.#unstick(partition));
      case 'clean': {
        const to = chance.int(log.startOffset, log.endOffset);
        trace(`${uid} is cleaned up to ${to}`);
        const keeps = chance.happens(0.5);
        return log.clean(
          to,
          () => keeps,
          (record) => this.#isTombstoneOver(record),
        );
      }
      case 'retain': {
        const limit = this.#world.retentionLimit(partition);
        if (limit === undefined) return;
        log.removeBefore(chance.int(log.startOffset, Math.max(log.startOffset, limit)));
        return trace(`${uid} begins at ${log.startOffset} now`);
      }
    }
  }

  #isTombstoneOver(record: LoggedRecord): boolean {
    const { nowMs } = this.#world.cluster.scheduler;
    const { tombstonesLiveMs = Infinity } = this.#world;
    const cleanedMs = this.#cleanedMs.get(record) ?? nowMs;
    this.#cleanedMs.set(record, cleanedMs);
    return nowMs - cleanedMs > tombstonesLiveMs;
  }

  #unstick(partition: SimulatedPartition): void {
    partition.isReplicationStuck = false;
    this.#world.cluster.replicate(partition);
  }

  #weather(change: Partial<NetworkWeather>): void {
    const { network, trace } = this.#world;
    const ms = this.#chance.between(100, 6000);
    trace(`network: ${JSON.stringify(change)} for ${Math.round(ms)} ms`);
    network.weather = { ...network.weather, ...change };
    this.#later(ms, () => {
      network.weather = fairWeather;
    });
  }

  #later(ms: number, run: () => void): void {
    this.#world.cluster.scheduler.after(ms, () => {
      if (!this.#isHealed) run();
    });
  }

  /** Also after everything is healed. */
  #always(ms: number, run: () => void): void {
    this.#world.cluster.scheduler.after(ms, run);
  }
}
