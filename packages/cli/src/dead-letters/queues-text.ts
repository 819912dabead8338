import type { RedriveBook } from '@outbound/consumer';
import type { Output } from '../console/output.ts';
import type { DeadLetterTopicNow, WaitingLetter, WaitingQueue } from './letter-queues.ts';
import { queueText } from './queue-plan.ts';
import type { RequestEnd } from './await-members.ts';

/** The queues for `--json`. */
export function queuesJson({ queues, book }: DeadLetterTopicNow) {
  return queues.map((queue) => {
    const { group, topic, key, letters } = queue;
    const [first] = letters;
    return {
      ...{ group, topic, key, waiting: letters.length, standing: standing(queue, book) },
      ...{ code: first?.code, firstEid: first?.eid, type: first?.type, since: first?.at },
    };
  });
}

/** A line for each queue. */
export function queuesText(output: Output, now: DeadLetterTopicNow): string {
  if (now.queues.length === 0) return 'no letter waits';
  return output.table(
    ['group', 'topic', 'key', 'waiting', 'cause', 'first event', 'since', 'standing'],
    now.queues.map((queue) => {
      const [first] = queue.letters;
      return [
        ...[queue.group, queue.topic, queue.key ?? '(no key)', String(queue.letters.length)],
        ...[first?.code ?? '', first?.eid ?? '', first?.at ?? '', standing(queue, now.book)],
      ];
    }),
  );
}

/** The letters for `--json`; with payloads, if they were read. */
export function queueLettersJson(queues: readonly WaitingQueue[]) {
  return queues.flatMap(({ letters }) =>
    letters.map(({ place, offset, payload, ...told }) => ({
      ...told,
      offset: String(offset),
      place: { partition: place.partition, offset: String(place.offset) },
      ...(payload === undefined ? {} : { payload }),
    })),
  );
}

/** A line for each letter, and its payload behind all of them, if it was read. */
export function queueLettersText(output: Output, queues: readonly WaitingQueue[]): string {
  const letters = queues.flatMap((queue) => queue.letters);
  if (letters.length === 0) return 'no letter waits';
  const table = output.table(
    ['group', 'key', 'event', 'type', 'from', 'reason', 'attempts', 'bytes', 'cause', 'message'],
    letters.map((letter) => [
      ...[letter.group, letter.key ?? '(no key)', letter.eid, letter.type],
      `${letter.topic}/${letter.partition}/${letter.offset}`,
      ...[letter.reason, String(letter.attempts), String(letter.bytes), letter.code],
      letter.message.slice(0, 100),
    ]),
  );
  return [table, ...letters.flatMap(payloadText)].join('\n');
}

/** What became of a request that is not done, for people. */
export function endText({ request, progress, isReplaced }: RequestEnd): string {
  const queue = queueText(request);
  if (isReplaced) return `${queue}: something else was asked for it meanwhile, and that counts`;
  if (progress?.state === 'waiting')
    return `${queue}: ${progress.discarded} letters were given up, and later ones wait: redrive them`;
  if (progress?.state === 'failed' && progress.failure) {
    const { eid, code, message } = progress.failure;
    return `${queue}: ${progress.handled} letters were handled; event ${eid} could not be, again: ${code} ${message}`;
  }
  return `${queue}: nobody has carried it out yet; it stays asked for, until the group does it or something else is asked`;
}

function payloadText({ eid, payload }: WaitingLetter): string[] {
  return payload === undefined ? [] : [`event ${eid}:`, payload ?? '(none: a tombstone)'];
}

function standing(queue: WaitingQueue, book: RedriveBook | undefined): string {
  if (book?.isOpen(queue) === true) return `${book.request(queue)?.verb ?? ''} asked for`;
  const failure = book?.progress(queue)?.failure;
  return failure && failure.eid === queue.letters[0]?.eid ? `failed again: ${failure.code}` : '';
}
