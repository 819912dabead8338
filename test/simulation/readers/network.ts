import { KafkaError } from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import type { Scheduler } from '../scheduler.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

/** What the network between readers and brokers does; set by the nemesis. */
export interface NetworkWeather {
  /** Probability that a request is lost before the broker sees it. */
  readonly loseRequest: number;
  /** Probability that an answer is lost after the broker has acted. */
  readonly loseAnswer: number;
  /** Probability that a request or an answer hangs about, and for how long at most. */
  readonly delay: number;
  readonly delayMs: number;
}

export const fairWeather: NetworkWeather = { loseRequest: 0, loseAnswer: 0, delay: 0, delayMs: 0 };

/** A socket of a reader to a broker: requests on it are taken, and answered, in their order. */
interface Socket {
  readonly life: Life;
  readonly broker: number;
  arrivesMs: number;
  answersMs: number;
  readonly cuts: Set<(why: string) => void>;
}

export interface Ask<T> {
  readonly life: Life;
  readonly broker: number;
  /** Requests under one name share a socket. */
  readonly socket: string;
  readonly what: string;
  readonly timeoutMs: number;
  /** What the broker does when it takes the request; it may answer later. */
  readonly act: (answer: (value: T) => void) => void;
}

/**
 * Carries requests and answers. Each of both may be late, or lost together with its socket; after a loss the reader hears of a closed connection or nothing until its
 * own time limit, and never whether the broker has acted.
 */
export class Network {
  weather: NetworkWeather = fairWeather;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #cluster: SimulatedCluster;
  readonly #sockets = new Map<string, Socket>();
  /** Readers that reach no broker, for each life the brokers it does not reach. */
  readonly #cutOff = new Map<Life, ReadonlySet<number>>();

  constructor(cluster: SimulatedCluster, chance: Chance) {
    this.#cluster = cluster;
    this.#scheduler = cluster.scheduler;
    this.#chance = chance;
  }

  /** @throws KafkaError KAFKA_UNAVAILABLE when no answer comes; a reader that is dead never hears anything again. */
  ask<T>({ life, broker, socket: name, what, timeoutMs, act }: Ask<T>): Promise<T> {
    if (!life.act()) return new Promise(() => undefined);
    const chance = this.#chance;
    const id = `${life.name}|${broker}|${name}`;
    const socket = this.#socket(id, life, broker);
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (run: () => void): void => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        socket.cuts.delete(fail);
        life.deliver(`kafka ${broker} ${name}`, run);
      };
      const fail = (why: string): void =>
        end(() =>
          reject(new KafkaError('KAFKA_UNAVAILABLE', `${what} at broker ${broker}: ${why}`)),
        );
      const timer = this.#scheduler.after(timeoutMs, () => {
        if (this.#sockets.get(id) === socket) this.#close(id, socket, 'no answer in time');
        else fail('no answer in time');
      });
      socket.cuts.add(fail);
      const isLost = chance.happens(this.weather.loseRequest) || this.#isCutOff(life, broker);
      const isUnanswered = chance.happens(this.weather.loseAnswer);
      const lose = (): void => {
        // The connection breaks, or nothing more is heard on it.
        if (chance.happens(0.5)) this.#close(id, socket, 'the connection was closed');
      };
      socket.arrivesMs = Math.max(socket.arrivesMs, this.#scheduler.nowMs + this.#delayMs());
      this.#scheduler.after(socket.arrivesMs - this.#scheduler.nowMs, () => {
        if (isLost) return lose();
        this.#cluster.atBroker(
          broker,
          () =>
            act((value) => {
              if (isUnanswered || this.#isCutOff(life, broker)) return lose();
              const { nowMs } = this.#scheduler;
              socket.answersMs = Math.max(socket.answersMs, nowMs + this.#delayMs());
              this.#scheduler.after(socket.answersMs - nowMs, () => end(() => resolve(value)));
            }),
          () => this.#close(id, socket, 'the connection was refused'),
        );
      });
    });
  }

  /** Every connection to the broker breaks. */
  cutBroker(broker: number): void {
    for (const [id, socket] of this.#sockets)
      if (socket.broker === broker) this.#close(id, socket, 'the connection was closed');
  }

  /** Every connection of the reader breaks. */
  cutLife(life: Life): void {
    for (const [id, socket] of this.#sockets)
      if (socket.life === life) this.#close(id, socket, 'the connection was closed');
  }

  /** What this reader sends to these brokers is lost, until it is told otherwise. */
  isolate(life: Life, brokers: readonly number[]): void {
    this.#cutOff.set(life, new Set(brokers));
  }

  healAll(): void {
    this.weather = fairWeather;
    this.#cutOff.clear();
  }

  #isCutOff(life: Life, broker: number): boolean {
    return this.#cutOff.get(life)?.has(broker) ?? false;
  }

  #delayMs(): number {
    const { delay, delayMs } = this.weather;
    return this.#chance.happens(delay)
      ? this.#chance.between(0, delayMs)
      : this.#chance.between(0.2, 3);
  }

  #socket(id: string, life: Life, broker: number): Socket {
    const known = this.#sockets.get(id);
    if (known?.life === life) return known;
    const socket: Socket = { life, broker, arrivesMs: 0, answersMs: 0, cuts: new Set() };
    this.#sockets.set(id, socket);
    return socket;
  }

  #close(id: string, socket: Socket, why: string): void {
    if (this.#sockets.get(id) === socket) this.#sockets.delete(id);
    for (const cut of [...socket.cuts]) cut(why);
  }
}
