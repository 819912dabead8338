import { recordHeader } from '@outbound/contract';
import {
  deadLetterHeader,
  type DeadLetterRecord,
} from '../../../packages/consumer/src/dead-letters/dead-letter-record.ts';
import type { DeadLetterSender } from '../../../packages/consumer/src/dead-letters/dead-letter-sender.ts';
import {
  createMemoryParkedKeys,
  type ParkedEvent,
  type ParkedKeys,
  type ParkOwner,
  type ParkScope,
} from '../../../packages/consumer/src/dead-letters/parked-keys.ts';
import { ConsumerError } from '../../../packages/consumer/src/errors.ts';
import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import type { ReadersChecker } from './readers-checker.ts';
import { SimulatedRedrives } from './simulated-redrives.ts';

/** How the dead-letter topic and the store of parked keys behave. */
export interface DeadLetterPlan {
  /** Share of the events that no handler ever takes. */
  readonly poison: number;
  /** Longest answer of either. */
  readonly ms: number;
  /** Share of what is asked of either that goes wrong; half of it has been done all the same. */
  readonly failures: number;
}

/** A dead-letter topic and a database of parked keys, which outlive every process and may fail with or without having done what was asked. */
export class SimulatedDeadLetters {
  readonly #keys = createMemoryParkedKeys();
  readonly #chance: Chance;
  readonly #plan: () => DeadLetterPlan;
  readonly #checker: ReadersChecker;
  readonly #trace: (what: string) => void;
  /** What becomes of the letters, where somebody asks for it. */
  readonly redrives: SimulatedRedrives;

  constructor(parts: {
    readonly chance: Chance;
    /** How they behave now. */
    readonly plan: () => DeadLetterPlan;
    readonly checker: ReadersChecker;
    readonly trace: (what: string) => void;
  }) {
    this.#chance = parts.chance;
    this.#plan = parts.plan;
    this.#checker = parts.checker;
    this.#trace = parts.trace;
    this.redrives = new SimulatedRedrives({
      ...parts,
      chance: parts.chance.fork('redrives'),
      ask: async (life, whom, work) => this.#ask(life, whom, work),
    });
  }

  /** What this process sends by. */
  sender(life: Life): DeadLetterSender {
    let last: Promise<unknown> = Promise.resolve();
    return {
      send: (record) => {
        const mine = last.then(() =>
          this.#ask(life, 'the dead-letter topic', () => this.#take(life, record)),
        );
        last = mine.catch(() => undefined);
        return mine;
      },
      close: () => Promise.resolve(),
    };
  }

  /** What this process knows parked keys by. */
  keys(life: Life): ParkedKeys {
    const ask = <Answer>(work: () => Promise<Answer>): Promise<Answer> =>
      this.#ask(life, 'the parked keys', work);
    const told = (key: string): void => this.#checker.deadLetters.told(life.name, [key]);
    return {
      list: async (scope) => {
        const keys = await ask(() => this.#keys.list(scope));
        this.#checker.deadLetters.told(life.name, keys);
        return keys;
      },
      parkedFor: (scope, key) => ask(() => this.#keys.parkedFor(scope, key)),
      own: (scope, partition) =>
        ask(async () => {
          const owner = await this.#keys.own?.(scope, partition);
          if (!owner) throw new Error('a store that fences nobody');
          this.#checker.deadLetters.owned(life.name, `${scope.topic}/${partition}`);
          this.#trace(`${life.name} is given the parked keys of ${scope.topic}/${partition}`);
          return owner;
        }),
      park: async (scope, key, event, owner) => {
        await ask(() => this.#park(life, scope, key, event, owner));
        told(key);
      },
      release: (scope, key, owner) => ask(() => this.#release(life, scope, key, owner)),
    };
  }

  async #release(
    life: Life,
    scope: ParkScope,
    key: string,
    owner: ParkOwner | undefined,
  ): Promise<boolean> {
    const isReleased = await this.#keys.release(scope, key, owner);
    this.#trace(`${life.name} frees ${key}`);
    if (isReleased) this.#checker.deadLetters.released(life.name, key);
    return isReleased;
  }

  async #park(
    life: Life,
    scope: ParkScope,
    key: string,
    event: ParkedEvent,
    owner: ParkOwner | undefined,
  ): Promise<void> {
    await this.#keys.park(scope, key, event, owner);
    const at = `${scope.topic}/${event.place?.partition}`;
    this.#checker.deadLetters.wrote(life.name, at, `parks ${key}`);
    const first = await this.#keys.parkedFor(scope, key);
    if (first) this.#checker.deadLetters.parked(key, first.eid);
    this.#trace(`${life.name} parks ${key} for ${event.eid}; it is for ${first?.eid}`);
  }

  #take(life: Life, letter: DeadLetterRecord): Promise<void> {
    const { headers } = letter;
    const value = (name: string): string =>
      String(headers.findLast((header) => header.name === name)?.value);
    const [eid, reason] = [value(recordHeader.id), value(deadLetterHeader.reason)];
    this.#trace(`the dead letter of ${eid} is taken from ${life.name} as ${reason}`);
    this.#checker.deadLetter(life.name, eid, reason);
    this.redrives.append(letter);
    return Promise.resolve();
  }

  /** The question leaves the process and its answer comes in: each may be cut off by a death, and either may fail. */
  async #ask<Answer>(life: Life, whom: string, work: () => Promise<Answer>): Promise<Answer> {
    const chance = this.#chance;
    const { ms, failures } = this.#plan();
    if (!life.act()) return new Promise(() => undefined);
    const isFailing = chance.happens(failures);
    const isDone = !isFailing || chance.happens(0.5);
    // On its way it does not stand still with the process.
    const answer = isDone ? await work() : undefined;
    await life.clock.sleep(chance.between(0, ms));
    if (!isFailing) return answer as Answer;
    this.#trace(`${whom} fails ${life.name}, ${isDone ? 'having' : 'not having'} done it`);
    throw new ConsumerError('DEAD_LETTER_FAILED', `${whom} did not answer`);
  }
}
