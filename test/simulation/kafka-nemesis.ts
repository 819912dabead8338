import type { Chance } from './chance.ts';
import type { KafkaFaultName } from './fault-names.ts';
import { fairWeather, type SimulatedKafka } from './simulated-kafka.ts';
import { isDeadLetterLane } from './simulated-publisher.ts';

interface KafkaWorld {
  readonly kafka: SimulatedKafka;
  readonly trace: (what: string) => void;
  /** Appends a record of another source to a random partition. */
  readonly writeForeign: () => void;
  /** Runs it then, unless everything was healed meanwhile. */
  readonly later: (ms: number, run: () => void) => void;
}

/** Breaks brokers and the network before them. */
export class KafkaNemesis {
  readonly #world: KafkaWorld;
  readonly #chance: Chance;
  readonly #stretch: number;

  /** `stretch`: how many times longer than else an outage lasts. */
  constructor(world: KafkaWorld, chance: Chance, stretch: number) {
    this.#stretch = stretch;
    this.#world = world;
    this.#chance = chance;
  }

  strike(fault: KafkaFaultName): void {
    const { kafka, trace, writeForeign } = this.#world;
    const chance = this.#chance;
    const broker = chance.pick(kafka.brokerIds);
    const ms = chance.between(200, 8000) * this.#stretch;
    const heal = (...brokers: readonly number[]): void =>
      this.#world.later(ms, () => {
        trace(`broker ${brokers.join(', ')} is well again`);
        for (const each of brokers) kafka.heal(each);
      });
    const weather = (change: Partial<typeof fairWeather>): void => {
      trace(`network: ${JSON.stringify(change)} for ${Math.round(ms)} ms`);
      kafka.weather = { ...kafka.weather, ...change };
      this.#world.later(ms, () => {
        kafka.weather = fairWeather;
      });
    };
    switch (fault) {
      case 'kill broker':
        trace(`broker ${broker} is killed`);
        kafka.kill(broker);
        return heal(broker);
      case 'hang broker':
        trace(`broker ${broker} hangs`);
        kafka.hang(broker);
        return heal(broker);
      case 'slow broker':
        trace(`broker ${broker} is slow`);
        kafka.slow(broker, chance.between(50, 3000));
        return heal(broker);
      case 'kafka outage':
        trace('every broker is killed');
        for (const each of kafka.brokerIds) kafka.kill(each);
        return heal(...kafka.brokerIds);
      case 'move leaders': {
        const lanes = [...kafka.partitions.keys()].filter(() => chance.happens(0.4));
        trace(`leaders move: ${lanes.join(' ')}`);
        for (const lane of lanes) kafka.moveLeader(lane);
        return;
      }
      case 'too few replicas': {
        const lane = chance.pick([...kafka.partitions.keys()]);
        trace(`${lane} has too few replicas in sync`);
        kafka.partition(lane).hasReplicas = false;
        return this.#world.later(ms, () => {
          kafka.partition(lane).hasReplicas = true;
        });
      }
      case 'lose answers':
        return weather({ loseAnswer: chance.between(0.1, 0.9) });
      case 'lose requests':
        return weather({ loseRequest: chance.between(0.05, 0.7) });
      case 'delay requests':
        return weather({
          delayRequest: chance.between(0.1, 0.8),
          delayMs: chance.between(500, 12_000),
        });
      case 'omit partitions':
        return weather({ omitPartition: chance.between(0.1, 0.6) });
      case 'hide tails':
        return weather({ hideTail: chance.between(0.2, 1) });
      case 'followers behind': {
        const lane = chance.pick([...kafka.partitions.keys()]);
        trace(`the followers of ${lane} do not follow`);
        kafka.partition(lane).log.leaveFollowersBehind();
        return this.#world.later(ms, () => {
          if (chance.happens(0.5)) {
            trace(`another leads ${lane}, with what it has`);
            kafka.moveLeader(lane);
          } else kafka.partition(lane).log.catchUp();
        });
      }
      case 'retention':
        if (chance.happens(0.4)) return this.#retain();
        trace('retention waits for somebody who reads the ends of partitions');
        kafka.onRangesGiven = () => {
          kafka.onRangesGiven = () => undefined;
          this.#retain();
        };
        return;
      case 'trouble the coordinator':
        return weather({ troubleCoordinator: chance.between(0.3, 1) });
      case 'foreign record':
        trace('another source writes a record');
        return writeForeign();
    }
  }

  #retain(): void {
    const { kafka, trace } = this.#world;
    const lanes = [...kafka.partitions.keys()].filter((each) => !isDeadLetterLane(each));
    for (const lane of lanes.filter(() => this.#chance.happens(0.5))) {
      const { log } = kafka.partition(lane);
      log.startOffset = this.#chance.int(log.startOffset, log.highWatermark);
      trace(`retention leaves of ${lane} what is from offset ${log.startOffset} on`);
    }
  }
}
