import type { LogPlaces, Place } from './log-places.ts';
import type { LoggedRecord } from './simulated-log.ts';

interface DeadLetterWorld {
  readonly places: LogPlaces;
  readonly isHandled: (eid: string) => boolean;
  /** Before this one of its key something is neither handled nor a dead letter, nor may be left out. */
  readonly unsettledBefore: (place: Place) => LoggedRecord | undefined;
  /** The group has committed it: it does not come again. */
  readonly isCommitted: (place: Place) => boolean;
  readonly fail: (sentence: string) => void;
}

/**
 * R7, of dead letters with parked keys: what is told of a dead letter is true, they stand in the order of their key, and nothing later of a
 * parked key goes to a handler of a process that knows of it. Parked keys are written by whoever was given the partition last. A letter
 * that is redriven goes before everything later of its key, and never again once the journal says that it was dealt with; a key is freed
 * when none of its letters waits.
 */
export class DeadLetterRules {
  readonly #world: DeadLetterWorld;
  /** By key: for which event the store has it. */
  readonly #parked = new Map<string, string>();
  /** By reader: keys that it has parked, or has been told of. */
  readonly #known = new Map<string, Set<string>>();
  readonly #taken = new Set<string>();
  readonly #failed = new Set<string>();
  /** Letters that the topic has taken, by key. */
  readonly #letters = new Map<string, Set<string>>();
  /** The journal of redrives says that they were dealt with. */
  readonly #dealtWith = new Set<string>();
  /** Somebody has said that they may be given up. */
  readonly #givenUp = new Set<string>();
  /** By partition: who was given its parked keys last. */
  readonly #owners = new Map<string, string>();

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

  /** The store has made the partition's parked keys this reader's. */
  owned(reader: string, at: string): void {
    this.#owners.set(at, reader);
  }

  /** The store has taken what this reader wrote of a key of the partition. */
  wrote(reader: string, at: string, what: string): void {
    const owner = this.#owners.get(at);
    if (owner !== undefined && owner !== reader)
      this.#world.fail(`R7 ${reader} ${what} after ${owner} was given ${at}`);
  }

  /** The store lets the key be handled again. */
  released(reader: string, key: string): void {
    const [waiting] = this.#waiting(key);
    if (waiting)
      this.#world.fail(`R7 ${reader} frees ${key} while the letter of ${waiting.record.eid} waits`);
    this.#parked.delete(key);
    for (const known of this.#known.values()) known.delete(key);
  }

  /** The journal of redrives says so. */
  dealtWith(eids: Iterable<string>): void {
    for (const eid of eids) this.#dealtWith.add(eid);
  }

  /** Somebody wants it. */
  givenUp(eids: Iterable<string>): void {
    for (const eid of eids) this.#givenUp.add(eid);
  }

  /** The store has told this reader that these are parked, by a list or by taking one. */
  told(reader: string, keys: Iterable<string>): void {
    const known = this.#known.get(reader) ?? new Set<string>();
    for (const key of keys) known.add(key);
    this.#known.set(reader, known);
  }

  /** A handler of the reader begins with this event. `isOut`: the reader is, and may not know it. */
  began(reader: string, place: Place, where: string, isOut = false): void {
    const { key, eid } = place.record;
    if (!isOut && this.#dealtWith.has(eid))
      this.#world.fail(`R7 ${reader} began ${where}, whose letter was dealt with`);
    const { uid } = place.partition;
    const before = this.#waiting(key).find(
      ({ partition, record }) => partition.uid === uid && record.offset < place.record.offset,
    );
    if (!isOut && before && this.#known.get(reader)?.has(key))
      this.#world.fail(
        `R7 ${reader} began ${where} while the letter of ${before.record.eid} waits`,
      );
    const first = this.#parked.get(key);
    if (first === undefined || !this.#known.get(reader)?.has(key)) return;
    if (this.#isBehind(place, first) && !this.#taken.has(eid))
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
    this.#letters.set(record.key, (this.#letters.get(record.key) ?? new Set()).add(eid));
  }

  /** Letters of the key that nobody has dealt with, and whose events do not come again. */
  #waiting(key: string): Place[] {
    return [...(this.#letters.get(key) ?? [])].flatMap((eid) => {
      const isOver =
        this.#dealtWith.has(eid) || this.#givenUp.has(eid) || this.#world.isHandled(eid);
      const place = isOver ? undefined : this.#world.places.of(eid);
      return place && this.#world.isCommitted(place) ? [place] : [];
    });
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
