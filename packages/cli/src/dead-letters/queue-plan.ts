import type { LetterOffsets, RedriveRequest } from '@outbound/consumer';
import type { WaitingLetter, WaitingQueue } from './letter-queues.ts';

/** What is asked for a queue, and what will happen to it. */
export interface QueuePlan {
  readonly request: RedriveRequest;
  /** How many letters it is about. */
  readonly letters: number;
  /** One sentence for people. */
  readonly sentence: string;
}

/** All letters of the queue go to the handler again, from the first one on. */
export function redriveOf(queue: WaitingQueue, asked: Asked): QueuePlan {
  const { letters } = queue;
  return {
    request: requestOf(queue, letters, { ...asked, verb: 'redrive' }),
    letters: letters.length,
    sentence: `${queueText(queue)}: ${letterCount(letters.length)} to its handler again, then its key is free`,
  };
}

/** The letters up to the named event are given up; all of them, if none is named. */
export function discardOf(
  queue: WaitingQueue,
  { eid, ...asked }: Asked & { readonly eid: string | undefined },
): QueuePlan {
  const last = eid === undefined ? -1 : queue.letters.findIndex((each) => each.eid === eid);
  const given = last < 0 ? queue.letters : queue.letters.slice(0, last + 1);
  const left = queue.letters.length - given.length;
  return {
    request: requestOf(queue, given, { ...asked, verb: 'discard' }),
    letters: given.length,
    sentence: `${queueText(queue)}: ${given.length} of ${queue.letters.length} letters are given up, ${
      left === 0 ? 'then its key is free' : `the other ${left} wait on: redrive them`
    }`,
  };
}

/** Names a queue in a sentence. */
export function queueText({ group, topic, key }: Omit<WaitingQueue, 'letters'>): string {
  return `${group} ${topic} ${key ?? '(no key)'}`;
}

interface Asked {
  readonly id: string;
  readonly at: Date;
}

function requestOf(
  { group, topic, key, letters: all }: WaitingQueue,
  letters: readonly WaitingLetter[],
  { id, at, verb }: Asked & { readonly verb: RedriveRequest['verb'] },
): RedriveRequest {
  return {
    ...{ group, topic, key, id, verb, at: at.toISOString() },
    // Of the newest: where later events of the key come, too.
    partition: all.at(-1)?.partition ?? 0,
    from: offsetsOf([...all].reverse()),
    through: offsetsOf(letters),
  };
}

/** By partition of the dead-letter topic, the offset of the last of these in it. */
function offsetsOf(letters: readonly WaitingLetter[]): LetterOffsets {
  return Object.fromEntries(letters.map(({ place }) => [place.partition, place.offset]));
}

function letterCount(count: number): string {
  return count === 1 ? '1 letter goes' : `${count} letters go`;
}
