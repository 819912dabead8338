import type { LogPlaces, Place } from './log-places.ts';
import type { LoggedRecord } from './simulated-log.ts';

interface DeadLetterWorld {
  readonly places: LogPlaces;
  readonly isHandled: (eid: string) => boolean;
  /** Before this one of its key something is neither handled nor a dead letter, nor may be left out. */
  readonly unsettledBefore: (place: Place) => LoggedRecord | undefined;
  readonly fail: (sentence: string) => void;
}

/**
 * R7, of dead letters with parked keys: what is told of a dead letter is true, they stand in the order of their key, and nothing later of a
 * parked key goes to a handler of a process that knows of it. A process that is out may still park a key, as nothing fences that store: others
 * know of it when they have read the list again.
 */
export class DeadLetterRules {
  readonly #world: DeadLetterWorld;
  /** By key: for which event the store has it. */
  readonly #parked = new Map<string, string>();
  /** By reader: keys that it has parked, or has been told of. */
  readonly #known = new Map<string, Set<string>>();
  readonly #taken = new Set<string>();
  readonly #failed = new Set<string>();

  constructor(world: DeadLetterWorld) {
    this.#world = world;
  }

  /** Dead letters that the topic has taken, each event counted once. */
  get count(): number {
    return this.#taken.size;
  }

  /** The topic has taken its dead letter. */
  has(eid: string): boolean {
    return this.#taken.has(eid);
  }

  /** A handler threw. */
  failed(eid: string): void {
    this.#failed.add(eid);
  }

  /** The store has it now. */
  parked(key: string, eid: string): void {
    this.#parked.set(key, eid);
  }

  /** The store has told this reader that these are parked, by a list or by taking one. */
  told(reader: string, keys: Iterable<string>): void {
    const known = this.#known.get(reader) ?? new Set<string>();
    for (const key of keys) known.add(key);
    this.#known.set(reader, known);
  }

  /** A handler of the reader begins with this event. */
  began(reader: string, place: Place, where: string): void {
    const { key } = place.record;
    const first = this.#parked.get(key);
    if (first === undefined || !this.#known.get(reader)?.has(key)) return;
    if (this.#isBehind(place, first))
      this.#world.fail(`R7 ${reader} began ${where}, whose key is parked since ${first}`);
  }

  /** The dead-letter topic has taken it from this reader. */
  took(reader: string, eid: string, reason: string): void {
    const place = this.#world.places.of(eid);
    if (!place) return this.#world.fail(`R7 ${reader} sent ${eid}, which no log has`);
    const { partition, record } = place;
    const where = `${partition.uid} offset ${record.offset} (${record.key} version ${record.version})`;
    if (reason === 'failed' && !this.#failed.has(eid))
      this.#world.fail(`R7 ${reader} says that ${where} failed, and no handler has`);
    if (reason === 'parked') this.#checkParked(reader, place, where);
    const isNew = !this.#taken.has(eid) && !this.#world.isHandled(eid);
    const before = isNew ? this.#world.unsettledBefore(place) : undefined;
    if (before)
      this.#world.fail(`R7 ${reader} sent ${where} before offset ${before.offset} was dealt with`);
    this.#taken.add(eid);
  }

  #checkParked(reader: string, place: Place, where: string): void {
    const first = this.#parked.get(place.record.key);
    if (first === undefined || !this.#isBehind(place, first))
      this.#world.fail(`R7 ${reader} says that ${where} is behind a dead letter, ${first}`);
    else if (!this.#taken.has(first) && !this.#world.isHandled(first))
      this.#world.fail(`R7 ${reader} sent ${where} before the dead letter of ${first}`);
  }

  #isBehind({ partition, record }: Place, first: string): boolean {
    const other = this.#world.places.of(first);
    return other?.partition.uid === partition.uid && other.record.offset < record.offset;
  }
}
