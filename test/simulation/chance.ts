/**
 * Every random choice of a schedule, from one seed: the same seed gives the same choices on every machine. Streams that are forked
 * under different names do not disturb each other, so that a draw added in one place leaves the others as they were.
 */
export class Chance {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: string) {
    this.#seed = seed;
    this.#a = hashText(seed, 0x9e3779b9);
    this.#b = hashText(seed, 0x243f6a88);
    this.#c = hashText(seed, 0xb7e15162);
    for (let i = 0; i < 12; i += 1) this.#next();
  }

  /** An independent stream. */
  fork(name: string): Chance {
    return new Chance(`${this.#seed}/${name}`);
  }

  /** Uniform in [0, 1). */
  readonly unit = (): number => this.#next() / 4294967296;

  /** Uniform whole number, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1));
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + this.unit() * (max - min);
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Exponential with this mean: the time to the next of events that know nothing of each other. */
  gap(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }

  /** @throws RangeError if there is nothing to pick from. */
  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.unit() * items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** A new array in random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    const shuffled: T[] = [];
    while (left.length > 0) shuffled.push(...left.splice(this.int(0, left.length - 1), 1));
    return shuffled;
  }

  /** A UUID in version 4's form. */
  uuid(): string {
    const digits = Array.from({ length: 4 }, () => this.#next().toString(16).padStart(8, '0')).join(
      '',
    );
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20)}`;
  }

  /** sfc32, by Chris Doty-Humphrey: 32 bits. */
  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}

/** FNV-1a with an avalanche at the end. */
function hashText(text: string, seed: number): number {
  let hash = seed | 0;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
