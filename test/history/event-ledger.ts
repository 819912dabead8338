import { dataOps, type DataOp } from '@outbound/contract';
import type { ContentHash } from './content-hash.ts';
import type { CommittedEvent } from './history.ts';

/** The committed events, one number for each, in columns: a million of them, with two topics, fit into half a gigabyte. */
export class EventLedger {
  readonly eids: string[] = [];
  readonly keys: string[] = [];
  readonly #byEid = new Map<string, number>();
  readonly #keyByText = new Map<string, number>();
  readonly #keyOf: number[] = [];
  readonly #versions: number[] = [];
  readonly #ops: number[] = [];
  readonly #hashes: ContentHash[] = [];
  readonly #ends: bigint[] = [];
  readonly types: string[] = [];
  readonly #typeByName = new Map<string, number>();
  readonly #typeOf: number[] = [];
  /** Snapshots and deletions that repeat the version before them. */
  readonly #restating = new Set<number>();
  /** Last committed event by key. */
  readonly #lastOfKey: number[] = [];

  get count(): number {
    return this.eids.length;
  }

  /** @throws Error if the id was committed before: then the history itself is wrong. */
  add(event: CommittedEvent): number {
    if (this.#byEid.has(event.eid))
      throw new Error(`event ${event.eid} is in the history of commits twice`);
    const index = this.eids.push(event.eid) - 1;
    this.#byEid.set(event.eid, index);
    const key = intern(event.aggregateId, this.#keyByText, this.keys);
    this.#keyOf.push(key);
    this.#versions.push(event.version);
    this.#ops.push(dataOps.indexOf(event.dataOp));
    this.#hashes.push(event.valueHash);
    if (event.commitEndLsn !== undefined) this.#ends[index] = event.commitEndLsn;
    const before = this.#lastOfKey[key];
    if (before !== undefined && this.#versions[before] === event.version)
      this.#restating.add(index);
    this.#typeOf.push(intern(event.type, this.#typeByName, this.types));
    this.#lastOfKey[key] = index;
    return index;
  }

  find(eid: string): number | undefined {
    return this.#byEid.get(eid);
  }

  eid(index: number): string {
    return this.eids[index] ?? '';
  }

  /** The key's number: equal for equal keys, from 0. */
  keyNumber(index: number): number {
    return this.#keyOf[index] ?? -1;
  }

  key(index: number): string {
    return this.keys[this.keyNumber(index)] ?? '';
  }

  findKey(key: string): number | undefined {
    return this.#keyByText.get(key);
  }

  version(index: number): number {
    return this.#versions[index] ?? 0;
  }

  dataOp(index: number): DataOp {
    return dataOps[this.#ops[index] ?? 0] ?? 'C';
  }

  /** True if the event says a version that the event before it of the same key had said: a backfill, which changes nothing. */
  restates(index: number): boolean {
    return this.#restating.has(index);
  }

  hash(index: number): ContentHash {
    return this.#hashes[index] ?? 0;
  }

  /** Number of the event type; its name is in `types`. */
  typeNumber(index: number): number {
    return this.#typeOf[index] ?? -1;
  }

  commitEndLsn(index: number): bigint | undefined {
    return this.#ends[index];
  }

  /** The event that was committed last for a key. */
  lastOfKey(keyNumber: number): number {
    return this.#lastOfKey[keyNumber] ?? -1;
  }
}

function intern(text: string, numbers: Map<string, number>, texts: string[]): number {
  let number = numbers.get(text);
  if (number === undefined) {
    number = texts.push(text) - 1;
    numbers.set(text, number);
  }
  return number;
}
