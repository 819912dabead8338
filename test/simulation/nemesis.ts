import type { Chance } from './chance.ts';
import { isKafkaFault, type FaultName } from './fault-names.ts';
import { KafkaNemesis } from './kafka-nemesis.ts';
import type { RelayHost } from './relay-host.ts';
import type { Scheduler } from './scheduler.ts';
import { fairWeather, type SimulatedKafka } from './simulated-kafka.ts';
import { walSenderTimeoutMs, type SimulatedPostgres } from './simulated-postgres.ts';

interface World {
  readonly scheduler: Scheduler;
  readonly postgres: SimulatedPostgres;
  readonly kafka: SimulatedKafka;
  readonly hosts: readonly RelayHost[];
  readonly trace: (what: string) => void;
  /** Appends a record of another source to a random partition. */
  readonly writeForeign: () => void;
  /** Copies the database. Gives how to bring the copy back; undefined if the database is no longer of the copy's history. */
  readonly copyDatabase: () => () => boolean;
}

export interface NemesisPlan {
  readonly faults: readonly FaultName[];
  /** Mean milliseconds between two faults. */
  readonly gapMs: number;
  readonly untilMs: number;
}

/** Breaks things at random times, and heals everything at the end. */
export class Nemesis {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #plan: NemesisPlan;
  readonly #kafka: KafkaNemesis;
  #isHealed = false;
  bitten = 0;

  constructor(world: World, chance: Chance, plan: NemesisPlan) {
    this.#world = world;
    this.#chance = chance;
    this.#plan = plan;
    const later = (ms: number, run: () => void): void => this.#later(ms, run);
    this.#kafka = new KafkaNemesis({ ...world, later }, chance);
  }

  start(): void {
    const { scheduler } = this.#world;
    if (this.#plan.faults.length === 0) return;
    scheduler.after(this.#chance.gap(this.#plan.gapMs), () => {
      if (this.#isHealed || scheduler.nowMs > this.#plan.untilMs) return;
      this.#strike(this.#chance.pick(this.#plan.faults));
      this.start();
    });
  }

  healAll(): void {
    const { kafka, postgres, hosts, trace } = this.#world;
    this.#isHealed = true;
    postgres.onTaken = () => undefined;
    trace('everything is healed');
    kafka.weather = fairWeather;
    for (const broker of kafka.brokerIds) kafka.heal(broker);
    for (const partition of kafka.partitions.values()) partition.hasReplicas = true;
    for (const host of hosts) host.life.continue();
    postgres.start();
  }

  #strike(fault: FaultName): void {
    const { postgres, hosts, trace } = this.#world;
    const chance = this.#chance;
    this.bitten += 1;
    const host = chance.pick(hosts);
    if (isKafkaFault(fault)) return this.#kafka.strike(fault);
    switch (fault) {
      case 'kill relay':
        return host.life.kill();
      case 'kill relay between two acts': {
        const acts = chance.int(0, 12);
        trace(`${host.name} will die before act ${acts}`);
        return host.life.killAfter(acts);
      }
      case 'stop relay': {
        const ms = chance.happens(0.5)
          ? chance.between(100, walSenderTimeoutMs)
          : chance.between(walSenderTimeoutMs, 3 * walSenderTimeoutMs);
        trace(`${host.name} is stopped for ${Math.round(ms)} ms`);
        const { life } = host;
        life.stop();
        return this.#later(ms, () => {
          trace(`${host.name} goes on`);
          life.continue();
        });
      }
      case 'terminate relay':
        trace(`${host.name} is asked to stop`);
        return host.terminate();
      case 'cut connection':
        trace('the replication connection is cut');
        return postgres.holder?.end(true);
      case 'blackhole connection':
        trace('the replication connection carries nothing any more');
        if (postgres.holder) postgres.holder.isBlackholed = true;
        return;
      case 'half-open connection': {
        trace('the server drops the replication connection, the relay hears nothing');
        const { holder } = postgres;
        if (holder) holder.isBlackholed = true;
        return holder?.end(false);
      }
      case 'half-open connection while opening':
        return this.#loseSlotWhileOpening();
      case 'crash postgres':
        trace('Postgres crashes');
        postgres.crash();
        return this.#later(chance.between(100, 5000), () => {
          trace('Postgres is up again');
          postgres.start();
        });
      case 'bring back a copy':
        return this.#bringBackCopy();
      case 'cut a repetition short':
        return this.#cutRepetitionShort();
    }
  }

  /** The next relay that takes the slot loses it unawares while it is still trying to reach Kafka. */
  #loseSlotWhileOpening(): void {
    const { kafka, postgres, trace } = this.#world;
    postgres.onTaken = () => {
      postgres.onTaken = () => undefined;
      kafka.weather = {
        ...kafka.weather,
        loseRequest: this.#chance.between(0.1, 0.5),
        hideTail: this.#chance.happens(0.4) ? 1 : 0,
      };
      const sender = postgres.holder;
      this.#later(this.#chance.between(1, 500), () => {
        trace('the server drops the new connection, the relay hears nothing');
        if (sender) sender.isBlackholed = true;
        sender?.end(false);
      });
      this.#later(this.#chance.between(200, 6000), () => {
        kafka.weather = fairWeather;
      });
    };
    // What cannot be sent meanwhile is what it would send too late.
    if (this.#chance.happens(0.5)) {
      for (const broker of kafka.brokerIds) kafka.kill(broker);
      this.#later(this.#chance.between(500, 4000), () => {
        for (const broker of kafka.brokerIds) kafka.heal(broker);
      });
    }
    trace('the replication connection is cut, and the next one will be lost unawares');
    postgres.holder?.end(true);
  }

  /** The slot goes back, the next relay cannot see what is there already, and dies while it publishes that again. */
  #cutRepetitionShort(): void {
    const { kafka, postgres, hosts, trace } = this.#world;
    const chance = this.#chance;
    trace('Postgres crashes, and what its slot repeats will be cut short');
    postgres.crash();
    postgres.onTaken = () => {
      postgres.onTaken = () => undefined;
      kafka.weather = { ...kafka.weather, hideTail: 1 };
      for (const host of hosts) host.life.killAfter(chance.int(8, 30));
      this.#later(chance.between(100, 600), () => {
        kafka.weather = fairWeather;
      });
    };
    this.#later(chance.between(20, 500), () => postgres.start());
  }

  #bringBackCopy(): void {
    const { postgres, trace, copyDatabase } = this.#world;
    const chance = this.#chance;
    trace('the data directory is copied');
    const bringBack = copyDatabase();
    this.#later(chance.happens(0.5) ? chance.between(50, 800) : chance.between(800, 5000), () => {
      if (!bringBack()) return;
      trace('the copy is brought back');
      this.#later(chance.between(20, 2000), () => {
        trace('Postgres is up again, with the copy');
        postgres.start();
      });
    });
  }

  #later(ms: number, run: () => void): void {
    this.#world.scheduler.after(ms, () => {
      if (!this.#isHealed) run();
    });
  }
}
