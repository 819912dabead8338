import { hash } from 'node:crypto';
import type { EarlierRow } from './compare-states.ts';
import type { RecordState } from './entity-states.ts';
import { differenceKinds, type DifferenceKind } from './entity-states.ts';

/** An entity of the index: the number of its entry, from 0, in the order in which they came. Stays. */
export type EntityId = number;

/** What is thought of an entity: nothing against it (`clear`), to be decided (`candidate`, `suspect`), or decided. */
export type EntityMark = 'clear' | 'candidate' | 'suspect' | DifferenceKind;

const marks: readonly EntityMark[] = ['clear', 'candidate', 'suspect', ...differenceKinds];
const chunkBits = 16;
const chunkLength = 1 << chunkBits;
const recordForms = ['none', 'tombstone', 'unreadable', 'value'] as const;
const rowForms = ['none', 'deleted', 'live'] as const;
/**
 * Keys that are no UUID and whose text is kept: no entity can have them, so there are few or something is badly wrong.
 */
const maxForeignTexts = 10_000;

/**
 * What topic and table say of up to some millions of entities, in 55 bytes each at 1,000,000 (measured, with the hash
 * table): a key, the
 * last record's version and 64-bit content hash, the row's version, and what was found. A hash table of entry numbers
 * (open addressing,
 * linear probing, at most 70 % full) over typed arrays that grow in chunks, so that growing copies nothing but the
 * table of numbers.
 *
 * A key is a UUID as Postgres prints it, 16 bytes. Any other key is kept as the first 16 bytes of its SHA-256; its text
 * only for the first 10,000.
 */
export class EntityIndex {
  #slots = new Int32Array(1024).fill(-1);
  #size = 0;
  readonly #chunks: Chunk[] = [];
  readonly #foreignTexts = new Map<EntityId, string>();
  readonly #probe = new Uint32Array(4);

  get size(): number {
    return this.#size;
  }

  /** Bytes of the typed arrays. */
  get bytes(): number {
    const arrays = this.#chunks.flatMap((chunk) => Object.values(chunk) as ArrayBufferView[]);
    return this.#slots.byteLength + arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** The entry of a key, if it has one. */
  find(key: string): EntityId | undefined {
    if (!readUuid(key, this.#probe)) readDigest(key, this.#probe);
    const { entry } = this.#find();
    return entry < 0 ? undefined : entry;
  }

  /** The entry of a key, made if it is new: without a record and without a row. */
  entryOf(key: string): EntityId {
    const isForeign = !readUuid(key, this.#probe);
    if (isForeign) readDigest(key, this.#probe);
    const found = this.#find();
    if (found.entry >= 0) return found.entry;
    const entry = this.#size;
    if ((entry & (chunkLength - 1)) === 0) this.#chunks.push(newChunk());
    const { chunk, at } = this.#place(entry);
    chunk.keys.set(this.#probe, at * 4);
    chunk.isForeign[at] = isForeign ? 1 : 0;
    this.#slots[found.slot] = entry;
    this.#size += 1;
    if (isForeign && this.#foreignTexts.size < maxForeignTexts) this.#foreignTexts.set(entry, key);
    if (this.#size > this.#slots.length * 0.7) this.#grow();
    return entry;
  }

  setRecord(entry: EntityId, record: RecordState): void {
    const { chunk, at } = this.#place(entry);
    chunk.recordForm[at] = recordForms.indexOf(record.form);
    const isValue = record.form === 'value';
    chunk.recordVersion[at] = isValue ? record.version : 0;
    chunk.recordHash[at * 2] = isValue ? record.hash.high : 0;
    chunk.recordHash[at * 2 + 1] = isValue ? record.hash.low : 0;
  }

  recordOf(entry: EntityId): RecordState {
    const { chunk, at } = this.#place(entry);
    const form = recordForms[chunk.recordForm[at] ?? 0] ?? 'none';
    if (form !== 'value') return { form };
    return {
      form,
      version: chunk.recordVersion[at] ?? 0,
      hash: { high: chunk.recordHash[at * 2] ?? 0, low: chunk.recordHash[at * 2 + 1] ?? 0 },
    };
  }

  setRow(entry: EntityId, row: EarlierRow): void {
    const { chunk, at } = this.#place(entry);
    chunk.rowForm[at] = rowForms.indexOf(row.form);
    chunk.rowVersion[at] = row.form === 'none' ? 0 : row.version;
  }

  rowOf(entry: EntityId): EarlierRow {
    const { chunk, at } = this.#place(entry);
    const form = rowForms[chunk.rowForm[at] ?? 0] ?? 'none';
    return form === 'none' ? { form } : { form, version: chunk.rowVersion[at] ?? 0 };
  }

  mark(entry: EntityId, mark: EntityMark): void {
    const { chunk, at } = this.#place(entry);
    chunk.mark[at] = marks.indexOf(mark);
  }

  /** Entries that are marked so, in the order in which they came. */
  *marked(mark: EntityMark): Generator<EntityId> {
    const wanted = marks.indexOf(mark);
    for (let entry = 0; entry < this.#size; entry += 1)
      if (this.#chunks[entry >> chunkBits]?.mark[entry & (chunkLength - 1)] === wanted) yield entry;
  }

  /** Every entry. */
  *entries(): Generator<EntityId> {
    for (let entry = 0; entry < this.#size; entry += 1) yield entry;
  }

  /** True if no row can have this key. */
  isForeign(entry: EntityId): boolean {
    const { chunk, at } = this.#place(entry);
    return chunk.isForeign[at] === 1;
  }

  /** The key's text; of a foreign one beyond the first 10,000 undefined. */
  keyOf(entry: EntityId): string | undefined {
    if (this.isForeign(entry)) return this.#foreignTexts.get(entry);
    const { chunk, at } = this.#place(entry);
    const hex = Array.from(chunk.keys.subarray(at * 4, at * 4 + 4), (word) =>
      word.toString(16).padStart(8, '0'),
    ).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  #place(entry: EntityId): { chunk: Chunk; at: number } {
    const chunk = this.#chunks[entry >> chunkBits];
    if (!chunk) throw new RangeError(`there is no entry ${entry} among ${this.#size}`);
    return { chunk, at: entry & (chunkLength - 1) };
  }

  /** The entry with the key in `#probe`, or the free slot where it belongs. */
  #find(): { entry: EntityId; slot: number } {
    const [a, b, c, d] = this.#probe;
    const mask = this.#slots.length - 1;
    for (let slot = mix(this.#probe) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? -1;
      if (entry < 0) return { entry, slot };
      const keys = this.#chunks[entry >> chunkBits]?.keys;
      const at = (entry & (chunkLength - 1)) * 4;
      if (keys?.[at] === a && keys?.[at + 1] === b && keys?.[at + 2] === c && keys?.[at + 3] === d)
        return { entry, slot };
    }
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let entry = 0; entry < this.#size; entry += 1) {
      const { chunk, at } = this.#place(entry);
      let slot = mix(chunk.keys.subarray(at * 4, at * 4 + 4)) & mask;
      while ((slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}

interface Chunk {
  readonly keys: Uint32Array;
  readonly recordVersion: Float64Array;
  readonly recordHash: Uint32Array;
  readonly rowVersion: Float64Array;
  readonly recordForm: Uint8Array;
  readonly rowForm: Uint8Array;
  readonly mark: Uint8Array;
  readonly isForeign: Uint8Array;
}

function newChunk(): Chunk {
  return {
    keys: new Uint32Array(chunkLength * 4),
    recordVersion: new Float64Array(chunkLength),
    recordHash: new Uint32Array(chunkLength * 2),
    rowVersion: new Float64Array(chunkLength),
    recordForm: new Uint8Array(chunkLength),
    rowForm: new Uint8Array(chunkLength),
    mark: new Uint8Array(chunkLength),
    isForeign: new Uint8Array(chunkLength),
  };
}

/** UUIDv7 of one load share their first words, so all four count. */
function mix(words: Uint32Array): number {
  let mixed = 0;
  for (let word = 0; word < 4; word += 1) {
    mixed = Math.imul(mixed ^ (words[word] ?? 0), 0x9e3779b1);
    mixed ^= mixed >>> 15;
  }
  return mixed >>> 0;
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function readUuid(key: string, into: Uint32Array): boolean {
  if (key.length !== 36 || !uuidForm.test(key)) return false;
  into[0] = parseInt(key.slice(0, 8), 16);
  into[1] = parseInt(key.slice(9, 13) + key.slice(14, 18), 16);
  into[2] = parseInt(key.slice(19, 23) + key.slice(24, 28), 16);
  into[3] = parseInt(key.slice(28), 16);
  return true;
}

function readDigest(key: string, into: Uint32Array): void {
  const digest = hash('sha256', key, 'hex');
  for (let word = 0; word < 4; word += 1)
    into[word] = parseInt(digest.slice(word * 8, word * 8 + 8), 16);
}
