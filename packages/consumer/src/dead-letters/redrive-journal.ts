import { z } from 'zod';
import { isBefore, type ParkedPlace } from './parked-keys.ts';

/** Whose dead letters: those of one key of one topic that one group could not handle. They go in order. */
export interface LetterQueue {
  readonly group: string;
  readonly topic: string;
  /** The text of its bytes (`keyText` of `@outbound/kafka`); null for records without a key. */
  readonly key: string | null;
}

/** Offsets by partitions of the dead-letter topic. */
export type LetterOffsets = Readonly<Record<string, bigint>>;

/** What a person wants to be done with the letters of a queue. The last one counts. */
export interface RedriveRequest extends LetterQueue {
  readonly id: string;
  /** `redrive`: they go to the group's handler again. `discard`: they are given up. */
  readonly verb: 'redrive' | 'discard';
  /** Partition of the topic: the member that has it does it. */
  readonly partition: number;
  /** The first letter that waits. */
  readonly from: LetterOffsets;
  /** The last letter that was seen; a discard goes no further. */
  readonly through: LetterOffsets;
  /** ISO 8601. */
  readonly at: string;
}

/** How far a member has come with the letters of a queue. */
export interface RedriveProgress extends LetterQueue {
  /** Id of the request. */
  readonly request: string;
  /**
   * `done`: none waits, and the key is free. `waiting`: what was to be discarded is, and letters wait behind it.
   * `failed`: the handler could not handle the next one.
   */
  readonly state: 'running' | 'done' | 'waiting' | 'failed';
  /** The last letter that was dealt with: what is at or before it waits no more. */
  readonly done: LetterOffsets;
  readonly handled: number;
  readonly discarded: number;
  /** The letter that is with the handler now, and how often it was handed out for this request. */
  readonly trying?: { readonly eid: string; readonly times: number } | undefined;
  readonly failure?:
    { readonly eid: string; readonly code: string; readonly message: string } | undefined;
  /**
   * Where the furthest letter that was handled or given up was in its topic. A letter that comes behind it, and was
   * not behind it there, is one that was written once more. Members of earlier releases do not say it.
   */
  readonly last?: ParkedPlace | undefined;
  readonly at: string;
}

/** What a record of the journal says. */
export type JournalEntry =
  | { readonly kind: 'request'; readonly entry: RedriveRequest }
  | { readonly kind: 'progress'; readonly entry: RedriveProgress };

/**
 * The topic beside a dead-letter topic in which the journal stands. To be compacted, or kept as long as the letters:
 * its last record for a queue says which letters wait no more.
 */
export function redriveTopic(deadLetterTopic: string): string {
  return `${deadLetterTopic}.redrive`;
}

/** One string for a queue. */
export function queueName({ group, topic, key }: LetterQueue): string {
  return JSON.stringify([group, topic, key]);
}

const offset = z.string().regex(/^\d+$/).transform(BigInt);
const offsets = z.record(z.string(), offset);
const queue = { group: z.string(), topic: z.string(), key: z.string().nullable() };
const requestForm = z.object({
  ...queue,
  id: z.string(),
  verb: z.enum(['redrive', 'discard']),
  partition: z.int(),
  from: offsets,
  through: offsets,
  at: z.string(),
});
const progressForm = z.object({
  ...queue,
  request: z.string(),
  state: z.enum(['running', 'done', 'waiting', 'failed']),
  done: offsets,
  handled: z.int(),
  discarded: z.int(),
  trying: z.object({ eid: z.string(), times: z.int() }).optional(),
  failure: z.object({ eid: z.string(), code: z.string(), message: z.string() }).optional(),
  last: z.object({ partition: z.int(), offset, timestampMs: z.int() }).optional(),
  at: z.string(),
});

/**
 * The record of an entry. Requests and progress of a queue have each a key of their own, since different programs
 * write them. `lettersId` is the id of the dead-letter topic whose offsets are meant.
 */
export function journalRecord(
  { kind, entry }: JournalEntry,
  lettersId: string | undefined,
): { readonly key: Buffer; readonly value: Buffer } {
  return {
    key: Buffer.from(JSON.stringify([kind, entry.group, entry.topic, entry.key])),
    value: Buffer.from(
      JSON.stringify({ lettersId, ...entry }, (_, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      ),
    ),
  };
}

/** The entry of a record; undefined for what is none, or speaks of a dead-letter topic of before, which was deleted. */
export function journalEntryOf(
  { key, value }: { readonly key: Buffer | null; readonly value: Buffer | null },
  lettersId: string | undefined,
): JournalEntry | undefined {
  const kind = (parsed(key) as unknown[] | undefined)?.[0];
  const said = parsed(value) as { lettersId?: unknown } | undefined;
  if (
    typeof said?.lettersId === 'string' &&
    lettersId !== undefined &&
    said.lettersId !== lettersId
  )
    return undefined;
  if (kind === 'request') {
    const { data } = requestForm.safeParse(said);
    return data && { kind, entry: data };
  }
  if (kind !== 'progress') return undefined;
  const { data } = progressForm.safeParse(said);
  return data && { kind, entry: data };
}

function parsed(bytes: Buffer | null): unknown {
  try {
    const found: unknown = bytes && JSON.parse(String(bytes));
    return typeof found === 'object' && found !== null ? found : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The journal, as far as it was read. What a queue has come to never goes back: a member that lost its partition, and
 * does not know it yet, may write behind its successor.
 */
export class RedriveBook {
  readonly #requests = new Map<string, RedriveRequest>();
  readonly #progress = new Map<string, RedriveProgress>();
  /** Those that are not carried out yet: looked for every second, among all that there ever were. */
  readonly #open = new Map<string, RedriveRequest>();
  /** Queues whose last record says less than is known. */
  readonly #wentBack = new Set<string>();

  add({ kind, entry }: JournalEntry): void {
    const name = queueName(entry);
    if (kind === 'request') this.#requests.set(name, entry);
    else this.#advance(name, entry);
    const request = this.#requests.get(name);
    if (request && this.isOpen(request)) this.#open.set(name, request);
    else this.#open.delete(name);
  }

  #advance(name: string, entry: RedriveProgress): void {
    const before = this.#progress.get(name);
    const known = before ? furthest(before, entry, this.#requests.get(name)?.id) : entry;
    this.#progress.set(name, known);
    if (known === entry) this.#wentBack.delete(name);
    else this.#wentBack.add(name);
  }

  request(queue: LetterQueue): RedriveRequest | undefined {
    return this.#requests.get(queueName(queue));
  }

  progress(queue: LetterQueue): RedriveProgress | undefined {
    return this.#progress.get(queueName(queue));
  }

  /** What is to be written once more, or compaction would forget it. */
  wentBack(): readonly RedriveProgress[] {
    return [...this.#wentBack].flatMap((name) => this.#progress.get(name) ?? []);
  }

  /** Whether nobody has dealt with the letter at this place of the dead-letter topic. */
  isWaiting(
    queue: LetterQueue,
    { partition, offset }: { readonly partition: number; readonly offset: bigint },
  ): boolean {
    return offset > (this.progress(queue)?.done[partition] ?? -1n);
  }

  /** Whether what was asked for last is not carried out yet. */
  isOpen(queue: LetterQueue): boolean {
    const request = this.request(queue);
    const progress = this.progress(queue);
    return (
      request !== undefined && (progress?.request !== request.id || progress.state === 'running')
    );
  }

  /** The requests that are not carried out yet. */
  open(): readonly RedriveRequest[] {
    return [...this.#open.values()];
  }
}

/** What two records of a queue say together; the newer one itself, if it says nothing less. */
function furthest(
  before: RedriveProgress,
  entry: RedriveProgress,
  asked: string | undefined,
): RedriveProgress {
  const done: Record<string, bigint> = { ...before.done };
  let isLess = false;
  let isMore = false;
  for (const partition of new Set([...Object.keys(before.done), ...Object.keys(entry.done)])) {
    const [then, now] = [before.done[partition] ?? -1n, entry.done[partition] ?? -1n];
    done[partition] = now > then ? now : then;
    isLess ||= now < then;
    isMore ||= now > then;
  }
  // Whoever knows less of the same request has lost the partition since, and what it has come to is not what the request has. And a failure that somebody has gone beyond is none.
  const goesOn = before.state === 'failed' && isMore;
  const isOver =
    before.request === entry.request
      ? isLess || (before.state !== 'running' && entry.state === 'running' && !goesOn)
      : before.request === asked;
  if (!isLess && !isOver) return entry;
  const { last } = entry;
  const isLastLess = last === undefined || isBefore(last, before.last);
  return { ...(isOver ? before : entry), done, last: isLastLess ? before.last : last };
}
