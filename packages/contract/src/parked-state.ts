/** How a parked key stands. */
export interface ParkedState {
  /** The position of its first dead letter, as `source_lsn` has it: what tells one parking of a key from another. */
  readonly since: string;
  /** Dead letters so far, numbered from 1. */
  readonly count: number;
  /** The first so many were published or discarded since; when all are, the key is free. */
  readonly done: number;
  /** Why the first one could not be published. */
  readonly code: string;
  /** The type of that event. */
  readonly type: string;
  readonly firstEid: string;
  readonly lastEid: string;
  /** When it was parked, ISO 8601. */
  readonly at: string;
}

/** One decision about a key, and how the key stands after it. */
export interface ParkedEntry {
  /**
   * `kept`: a letter came again, and still could not be published. `void`: no decision; what was decided here belongs
   * to a history that the database does not have any more, and the key stands as it did before.
   */
  readonly kind: 'parked' | 'redriven' | 'discarded' | 'kept' | 'void';
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** Undefined if the key is free again. */
  readonly after: ParkedState | undefined;
  /** Set if it was decided in another way before: what the topic has of the key at later places of the log is void. */
  readonly isAnew?: boolean;
}

/** The record key of an aggregate in the topic of parked keys. */
export function parkedKeyText(aggregateType: string, aggregateId: string): string {
  return JSON.stringify([aggregateType, aggregateId]);
}

export function parkedEntryToText(entry: ParkedEntry): string {
  return JSON.stringify(entry);
}

/** The entry of a record, or undefined if it is not one. */
export function parkedEntryFromText(text: string): ParkedEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, aggregateType, aggregateId, after, isAnew } = value as Record<string, unknown>;
  if (!isKind(kind)) return undefined;
  if (typeof aggregateType !== 'string' || typeof aggregateId !== 'string') return undefined;
  if (after !== undefined && !isState(after)) return undefined;
  const entry = { kind, aggregateType, aggregateId, after } as const;
  return isAnew === true ? { ...entry, isAnew } : entry;
}

function isKind(value: unknown): value is ParkedEntry['kind'] {
  return ['parked', 'redriven', 'discarded', 'kept', 'void'].some((kind) => kind === value);
}

function isState(value: unknown): value is ParkedState {
  if (typeof value !== 'object' || value === null) return false;
  const { since, count, done, code, type, firstEid, lastEid, at } = value as Record<
    string,
    unknown
  >;
  return (
    [since, code, type, firstEid, lastEid, at].every((each) => typeof each === 'string') &&
    Number.isSafeInteger(count) &&
    Number.isSafeInteger(done)
  );
}

/**
 * What a row of the outbox says that was written to deal with dead letters, in one of its headers: `redrive` is the
 * letter of that number again, `discard` gives up every letter up to it. The relay alone decides, in the order of the
 * log, whether it is their turn.
 */
export interface LetterMark {
  readonly kind: 'redrive' | 'discard';
  readonly since: string;
  readonly number: number;
}

/** The reserved outbox headers that carry a mark, by what it asks for; their value is `<number> <since>`. */
export const markHeaders = { redrive: 'outbound_redrive', discard: 'outbound_discard' } as const;

/**
 * A condition on a row of the outbox in SQL: it is an event, and no row that only says that dead letters are given up.
 * Of the text: an operator would read all of the headers, and old rows may have what Postgres cannot take apart.
 */
export const isEventSql = `position('"${markHeaders.discard}":' in headers::text) = 0`;

/** The outbox header that says so. */
export function letterMarkHeader({
  kind,
  since,
  number,
}: LetterMark): Readonly<Record<string, string>> {
  return { [markHeaders[kind]]: `${number} ${since}` };
}

/** The mark among a row's headers, if there is a well-formed one. */
export function letterMarkOf(headers: Readonly<Record<string, unknown>>): LetterMark | undefined {
  for (const kind of ['redrive', 'discard'] as const) {
    const text = headers[markHeaders[kind]];
    if (typeof text !== 'string') continue;
    const match = /^([1-9]\d{0,14}) (\S{1,100})$/.exec(text);
    if (match?.[1] && match[2]) return { kind, since: match[2], number: Number(match[1]) };
  }
  return undefined;
}
