import { deadLetterHeader, outboxLetterHeader } from './dead-letter-headers.ts';
import { letterMarkHeader, type ParkedState } from './parked-state.ts';

/** A dead letter of the relay, read back: the outbox row that it was, and why it is here. */
export interface DeadLetter {
  readonly since: string;
  readonly number: number;
  readonly eid: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly version: string;
  readonly dataOp: string;
  /** Null if the row had none, or if it was too large (`leftOutBytes`). */
  readonly payload: Buffer | null;
  readonly leftOutBytes: number | undefined;
  /** The row's column `headers`. */
  readonly headers: string;
  readonly reason: string;
  readonly code: string;
  readonly message: string;
  /** ISO 8601. */
  readonly at: string;
}

/** A row for the outbox, its columns as texts. */
export interface OutboxRowText {
  readonly id: string;
  readonly aggregatetype: string;
  readonly aggregateid: string;
  readonly type: string;
  readonly version: string;
  readonly data_op: string;
  readonly payload: string;
  readonly headers: string;
}

/**
 * The letter that a record of the dead-letter topic is, or undefined for a record that no relay wrote. `value` is not
 * copied.
 */
export function deadLetterOf(
  headers: Readonly<Record<string, string>>,
  value: Buffer | null,
): DeadLetter | undefined {
  const of = (name: string): string => headers[name] ?? '';
  const number = Number(of(outboxLetterHeader.number));
  const since = of(outboxLetterHeader.since);
  const eid = of(deadLetterHeader.eid);
  if (!Number.isSafeInteger(number) || number < 1 || since === '' || eid === '') return undefined;
  const leftOut = headers[outboxLetterHeader.leftOutBytes];
  return {
    since,
    number,
    eid,
    aggregateType: of(outboxLetterHeader.aggregateType),
    aggregateId: of('ce_subject'),
    type: of(outboxLetterHeader.type),
    version: of(outboxLetterHeader.version),
    dataOp: of(outboxLetterHeader.dataOp),
    payload: value,
    leftOutBytes: leftOut === undefined ? undefined : Number(leftOut),
    headers: of(outboxLetterHeader.headers),
    reason: of(deadLetterHeader.reason),
    code: of(deadLetterHeader.code),
    message: of(deadLetterHeader.message),
    at: of(deadLetterHeader.at),
  };
}

/**
 * The letters of a parked key that wait, in the order in which they have to go, as far as there is no gap. The topic
 * may hold a letter more than once, since what was in flight at a crash is sent again, and letters of an earlier
 * parking, or of one that never came to be.
 */
export function waitingLetters(
  { since, done, count }: ParkedState,
  letters: readonly DeadLetter[],
): readonly DeadLetter[] {
  const byNumber = new Map<number, DeadLetter>();
  for (const letter of letters) if (letter.since === since) byNumber.set(letter.number, letter);
  const waiting: DeadLetter[] = [];
  for (let number = done + 1; number <= count; number += 1) {
    const letter = byNumber.get(number);
    if (!letter) break;
    waiting.push(letter);
  }
  return waiting;
}

/**
 * The row that puts a letter back into the outbox: same event id, same bytes, and a mark by which the relay knows it.
 * Undefined if it is no row that the outbox takes: without its value, or with columns that cannot be read.
 */
export function redriveRow(letter: DeadLetter): OutboxRowText | undefined {
  const { payload, eid, aggregateType, aggregateId, type, version, dataOp } = letter;
  const asked = objectOf(letter.headers);
  if (payload === null || !asked || type === '' || version === '' || dataOp === '')
    return undefined;
  return {
    id: eid,
    aggregatetype: aggregateType,
    aggregateid: aggregateId,
    type,
    version,
    data_op: dataOp,
    payload: payload.toString('utf8'),
    headers: JSON.stringify({ ...asked, ...letterMarkHeader({ kind: 'redrive', ...letter }) }),
  };
}

/** The row that gives up every letter of the parking up to this one; it goes to no topic. `eid` is a new one. */
export function discardRow(letter: DeadLetter, eid: string): OutboxRowText {
  return {
    id: eid,
    aggregatetype: letter.aggregateType,
    aggregateid: letter.aggregateId,
    type: letter.type === '' ? 'outbound.discard' : letter.type,
    version: /^[1-9]\d*$/.test(letter.version) ? letter.version : '1',
    data_op: 'S',
    payload: '{}',
    headers: JSON.stringify(letterMarkHeader({ kind: 'discard', ...letter })),
  };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
