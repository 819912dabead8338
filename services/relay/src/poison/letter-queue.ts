import { parkedKeyText, redriveRow, type DeadLetter, type OutboxRowText } from '@outbound/contract';
import type { ParkedKey } from './parked-key.ts';

interface Queue {
  readonly since: string;
  readonly done: number;
  /** The event of each letter after `done`; the topic may hold letters of the same number that never came to be. */
  readonly eids: (string | undefined)[];
  /** Number of the letter that goes next. */
  next: number;
}

/**
 * The letters of some parked keys, in two readings of the topic, so that no payload has to be kept (I9): the first
 * tells which event each letter is, since the last one of a number counts; the second gives the rows in order.
 */
export class LetterQueue {
  readonly #queues = new Map<string, Queue>();
  readonly #size: number;

  /** `size`: of each key this many letters at the most, the first ones. */
  constructor(keys: Iterable<ParkedKey>, size: number) {
    this.#size = size;
    for (const { aggregateType, aggregateId, state } of keys)
      this.#queues.set(parkedKeyText(aggregateType, aggregateId), {
        since: state.since,
        done: state.done,
        eids: Array.from({ length: Math.min(state.count - state.done, size) }),
        next: state.done + 1,
      });
  }

  /** First reading: each letter, in the order of the topic. */
  note(letter: DeadLetter): void {
    const queue = this.#of(letter);
    if (!queue) return;
    const at = letter.number - queue.done - 1;
    if (at >= 0 && at < Math.min(queue.eids.length, this.#size)) queue.eids[at] = letter.eid;
  }

  /** Second reading: the row of a letter if it is the next one of its key, and can go again. */
  take(letter: DeadLetter): OutboxRowText | undefined {
    const queue = this.#of(letter);
    if (!queue || letter.number !== queue.next) return undefined;
    if (queue.eids[letter.number - queue.done - 1] !== letter.eid) return undefined;
    const row = letter.code === 'EVENT_MALFORMED' ? undefined : redriveRow(letter);
    if (row) queue.next += 1;
    else queue.next = 0;
    return row;
  }

  /** No more of this key: what stands behind a letter that cannot go has to wait. */
  stop(key: string): void {
    const queue = this.#queues.get(key);
    if (queue) queue.next = 0;
  }

  #of({ aggregateType, aggregateId, since }: DeadLetter): Queue | undefined {
    const queue = this.#queues.get(parkedKeyText(aggregateType, aggregateId));
    return queue?.since === since ? queue : undefined;
  }
}
