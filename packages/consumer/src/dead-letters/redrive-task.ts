import type { DeadLetter } from './dead-letter.ts';
import { isBefore, type ParkedPlace } from './parked-keys.ts';
import type { LetterOffsets, RedriveProgress, RedriveRequest } from './redrive-journal.ts';

/**
 * What becomes of a letter. `pass`: it was dealt with before, or the task goes no further. `repeated`: it comes behind
 * a later one of its key, so the group had finished it before that one. `left`: it came after what is to be discarded.
 */
export type LetterFate = 'pass' | 'repeated' | 'discard' | 'left' | 'hand-out';

/**
 * A letter that is handed out this often for one request, and no answer came: each time the process ended. It is taken
 * for the cause then, or it would end each process that starts.
 */
export const mostTries = 3;

/** A request in the hands of the member that carries it out: what becomes of each letter, and how far it is. Pure. */
export class RedriveTask {
  readonly request: RedriveRequest;
  readonly #done: Record<string, bigint>;
  #state: RedriveProgress['state'] = 'running';
  #handled: number;
  #discarded: number;
  #trying: RedriveProgress['trying'];
  #failure: RedriveProgress['failure'];
  /** The furthest letter that was handled or given up, in the topic. */
  #last: ParkedPlace | undefined;
  #leftBehind = 0;
  /** False once this member does no more of it. */
  isActive = true;

  /** @param before how far the queue was; what belongs to another request counts for the letters only. */
  constructor(request: RedriveRequest, before: RedriveProgress | undefined) {
    this.request = request;
    this.#done = { ...before?.done };
    const mine = before?.request === request.id ? before : undefined;
    this.#handled = mine?.handled ?? 0;
    this.#discarded = mine?.discarded ?? 0;
    this.#trying = mine?.trying;
    // Letters behind the freeing of the key are of another parking: somebody may have set the group back since.
    this.#last = before?.state === 'done' ? undefined : before?.last;
  }

  /** The offset from which a partition of the dead-letter topic is to be read; undefined where nothing of it is known. */
  from(partition: string): bigint | undefined {
    const done = this.#done[partition];
    return done === undefined ? this.request.from[partition] : done + 1n;
  }

  /** Letters that came after what is to be discarded. */
  get leftBehind(): number {
    return this.#leftBehind;
  }

  fate({ place, record }: DeadLetter): LetterFate {
    if (!this.isActive || place.offset <= (this.#done[place.partition] ?? -1n)) return 'pass';
    const isDiscard = this.request.verb === 'discard';
    if (isDiscard && place.offset <= (this.request.through[place.partition] ?? -1n))
      return 'discard';
    // What is behind a letter that waits is not dealt with before that one.
    if (this.#leftBehind > 0) return 'left';
    if (isAtOrBefore(placeOf(record), this.#last)) return 'repeated';
    return isDiscard ? 'left' : 'hand-out';
  }

  /** The letter is about to be handed out; false if that was done too often. */
  begin({ eid }: DeadLetter): boolean {
    const times = (this.#trying?.eid === eid ? this.#trying.times : 0) + 1;
    if (times > mostTries) return false;
    this.#trying = { eid, times };
    return true;
  }

  /** What was to be handed out was not. **Order**: after `begin`. */
  notBegun(): void {
    const trying = this.#trying;
    this.#trying = trying && trying.times > 1 ? { ...trying, times: trying.times - 1 } : undefined;
  }

  /** The letter was handled, or needs no handling any more. */
  passed({ place, record }: DeadLetter, as: 'handled' | 'discarded' | 'repeated'): void {
    this.#done[place.partition] = place.offset;
    if (as === 'handled') this.#handled += 1;
    if (as === 'discarded') this.#discarded += 1;
    const at = placeOf(record);
    if (!isAtOrBefore(at, this.#last)) this.#last = at;
    this.#trying = undefined;
  }

  /** The letter waits on. */
  leave(): void {
    this.#leftBehind += 1;
  }

  failed(failure: NonNullable<RedriveProgress['failure']>): void {
    this.#failure = failure;
    this.#trying = undefined;
    this.end('failed');
  }

  end(state: 'done' | 'waiting' | 'failed'): void {
    this.#state = state;
    this.isActive = false;
  }

  /** What the journal is told. */
  progress(at: Date): RedriveProgress {
    const { id, group, topic, key } = this.request;
    return {
      ...{ group, topic, key, request: id, state: this.#state, done: { ...this.#done } },
      ...{ handled: this.#handled, discarded: this.#discarded },
      ...(this.#trying ? { trying: this.#trying } : {}),
      ...(this.#failure ? { failure: this.#failure } : {}),
      ...(this.#last ? { last: this.#last } : {}),
      at: at.toISOString(),
    };
  }
}

/** The partitions of the dead-letter topic that have something for these tasks, and where to begin in each. */
export function whereToBegin(tasks: Iterable<RedriveTask>): Map<number, bigint> {
  const from = new Map<number, bigint>();
  for (const task of tasks)
    for (const partition of partitionsOf(task.request.from, task.request.through)) {
      const offset = task.from(partition);
      const before = from.get(Number(partition));
      if (offset !== undefined && (before === undefined || offset < before))
        from.set(Number(partition), offset);
    }
  return from;
}

function partitionsOf(...each: LetterOffsets[]): string[] {
  return [...new Set(each.flatMap((offsets) => Object.keys(offsets)))];
}

function placeOf({ partition, offset, timestampMs }: DeadLetter['record']): ParkedPlace {
  return { partition, offset, timestampMs };
}

function isAtOrBefore(one: ParkedPlace, other: ParkedPlace | undefined): boolean {
  if (isBefore(one, other)) return true;
  return (
    one.partition === other?.partition &&
    one.offset === other.offset &&
    one.timestampMs === other.timestampMs
  );
}
