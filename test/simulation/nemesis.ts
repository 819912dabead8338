import type { Chance } from './chance.ts';
import { isKafkaFault, type FaultName } from './fault-names.ts';
import { KafkaNemesis } from './kafka-nemesis.ts';
import type { RelayHost } from './relay-host.ts';
import type { Scheduler } from './scheduler.ts';
import { fairWeather, type SimulatedKafka } from './simulated-kafka.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import { walSenderTimeoutMs } from './wal-sender.ts';

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
  /** How many times longer than else an outage lasts. */
  readonly stretch: number;
}

/** Longer than anything that was sent can be under way here. */
const forgottenMs = 15_000;

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
    this.#kafka = new KafkaNemesis({ ...world, later }, chance, plan.stretch);
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
    postgres.onRowsSent = () => undefined;
    trace('everything is healed');
    kafka.weather = fairWeather;
    kafka.cutOff.clear();
    kafka.blind.clear();
    for (const broker of kafka.brokerIds) kafka.heal(broker);
    for (const partition of kafka.partitions.values()) {
      partition.hasReplicas = true;
      partition.log.catchUp();
    }
    for (const host of hosts) host.life.continue();
    postgres.isStandby = false;
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
      case 'suspend relay': {
        const ms = chance.between(500, 3 * walSenderTimeoutMs);
        trace(`the machine of ${host.name} is suspended for ${Math.round(ms)} ms`);
        const { life } = host;
        life.suspend();
        return this.#later(ms, () => {
          trace(`the machine of ${host.name} goes on`);
          life.continue();
        });
      }
      case 'set the clock': {
        const ms = chance.pick([-1, 1]) * chance.pick([1500, 60_000, 3_600_000]);
        trace(`the clock of ${host.name} is set by ${ms} ms`);
        return host.life.shiftWall(ms);
      }
      case 'sleep on a row':
        return this.#sleepOnRow();
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
      case 'be overtaken while opening':
        return this.#beOvertaken();
      case 'crash postgres':
        trace('Postgres crashes');
        postgres.crash();
        return this.#later(chance.between(100, 5000) * this.#plan.stretch, () => {
          trace('Postgres is up again');
          postgres.start();
        });
      case 'postgres in recovery': {
        trace('Postgres crashes, and is in recovery');
        postgres.crash();
        postgres.isStandby = true;
        this.#later(chance.between(50, 500), () => postgres.start());
        return this.#later(chance.between(500, 5000) * this.#plan.stretch, () => {
          trace('Postgres is a primary again');
          postgres.isStandby = false;
        });
      }
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

  /**
   * The next relay that takes the slot reads what there is, and then reaches no broker. It loses the slot unawares, another one
   * publishes all of it, and only then the brokers answer it: it has the newest epoch, and may see nothing of what is there.
   */
  #beOvertaken(): void {
    const { kafka, postgres, trace } = this.#world;
    const chance = this.#chance;
    trace('the next relay will be overtaken while it opens Kafka');
    postgres.onTaken = (sender) => {
      postgres.onTaken = () => undefined;
      const { life } = sender;
      kafka.cutOff.add(life);
      const overtakenFrom = postgres.confirmedLsn;
      this.#later(chance.between(30, 500), () => {
        trace(`the server drops ${life.name}, who hears nothing`);
        sender.isBlackholed = true;
        sender.end(false);
      });
      const look = (leftMs: number): void =>
        this.#later(200, () => {
          const isOvertaken =
            sender.isDead &&
            postgres.confirmedLsn > overtakenFrom &&
            postgres.confirmedLsn >= postgres.log.lastCommitEndLsn;
          if (!isOvertaken && leftMs > 0) return look(leftMs - 200);
          trace(`${life.name} reaches the brokers`);
          kafka.cutOff.delete(life);
          if (chance.happens(0.7)) kafka.blind.add(life);
          this.#later(chance.between(3000, 5000), () => kafka.blind.delete(life));
        });
      look(9000);
    };
    postgres.holder?.end(true);
  }

  /**
   * The machine of the relay that has the slot is suspended just when rows reach it. The server hears nothing and lets go, others
   * take over, and what the brokers knew of producers is forgotten where it was quiet: nothing but the relay itself keeps it from sending then.
   */
  #sleepOnRow(): void {
    const { kafka, postgres, trace } = this.#world;
    const chance = this.#chance;
    postgres.onRowsSent = (sender) => {
      postgres.onRowsSent = () => undefined;
      const { life } = sender;
      trace(`the machine of ${life.name} is suspended, with rows before it`);
      life.suspend();
      // The rows are in the kernel's buffer by then.
      if (chance.happens(0.7))
        this.#later(50, () => {
          sender.isBlackholed = true;
        });
      this.#later(chance.between(22_000, 32_000), () => {
        trace(`the machine of ${life.name} goes on; the brokers have forgotten producers`);
        kafka.forgetQuietProducers(forgottenMs);
        life.continue();
      });
    };
    trace('whoever gets the next rows will sleep on them');
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
