/** The records of one fetch that are not all finished: numbers `from` to below `end`. */
export interface KeptAnswer {
  readonly from: number;
  readonly end: number;
  readonly unfinished: number;
  /** What it keeps in memory. */
  readonly bytes: number;
}

interface Answer extends KeptAnswer {
  unfinished: number;
  bytes: number;
  /** It is worth another look when no more than this many are unfinished. */
  lookAt: number;
}

/**
 * What the unfinished records of one partition keep in memory. A record is a view of the batch that it came with, so that a single one keeps
 * everything that was fetched with it. Pure. Touched for every event, and so without a search where records end in their order.
 */
export class KeptBytes {
  /** Those with something unfinished, by number. */
  readonly #answers: Answer[] = [];
  #last: Answer | undefined;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Numbers `from` to below `end` have come, and keep so many bytes until all of them are finished. */
  add(from: number, end: number, bytes: number): void {
    if (from === end) return;
    this.#answers.push({ from, end, bytes, unfinished: end - from, lookAt: Infinity });
    this.#bytes += bytes;
  }

  /** The record is finished; once only. */
  finish(number: number): void {
    let answer = this.#last;
    if (!answer || number < answer.from || number >= answer.end) answer = this.#find(number);
    if (!answer) return;
    this.#last = answer;
    answer.unfinished -= 1;
    if (answer.unfinished > 0) return;
    this.#bytes -= answer.bytes;
    this.#answers.splice(this.#indexOf(number), 1);
    this.#last = undefined;
  }

  /** The one that the unfinished record came with. */
  of(number: number): KeptAnswer | undefined {
    return this.#find(number);
  }

  /** Those of which copies might be worth their while: new ones, and those with half as much unfinished as when they were looked at. */
  *toLookAt(): Generator<KeptAnswer> {
    for (const answer of this.#answers) if (answer.unfinished <= answer.lookAt) yield answer;
  }

  /** It is not worth its while now. */
  lookLater(at: KeptAnswer): void {
    const answer = this.#find(at.from);
    if (answer) answer.lookAt = Math.floor(answer.unfinished / 2);
  }

  /** What is unfinished was copied, or is with handlers: it keeps so many bytes from now on. */
  copied(at: KeptAnswer, bytes: number): void {
    const answer = this.#find(at.from);
    if (!answer) return;
    this.#bytes += bytes - answer.bytes;
    answer.bytes = bytes;
    answer.lookAt = -1;
  }

  #find(number: number): Answer | undefined {
    const answer = this.#answers[this.#indexOf(number)];
    return answer && number >= answer.from ? answer : undefined;
  }

  /** Of the first answer that ends behind the number. */
  #indexOf(number: number): number {
    let low = 0;
    let high = this.#answers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#answers[middle]?.end ?? Infinity) <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
