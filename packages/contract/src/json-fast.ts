import type { JsonValue } from './json-value.ts';
import { LosslessNumber } from 'lossless-json';
import { stringFault } from './json-text-error.ts';
import type { JsonLimits } from './json-text.ts';

const quote = 0x22;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const letterU = 0x75;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** What one pass over a text found; the text may still not be JSON. */
interface Scanned {
  /** Colons outside of strings: in a JSON text, as many as there are members in all its objects. */
  readonly members: number;
  /** There are escapes by number, or halves of surrogate pairs: what the strings hold has to be looked at. */
  readonly hasRareText: boolean;
  /** Where the numbers begin and end that JavaScript would print in another way, such as `1.50`. */
  readonly exact: readonly number[];
}

/**
 * The value of a JSON text in which there is nothing that we refuse; else undefined, and the careful parser
 * says what it is. Most documents are of this kind, and take it several times faster: no set of keys is made, because a duplicate shows in the numbers of keys before and after.
 * Numbers that JSON.parse would change go through it as strings that begin with U+0000, which no text of a caller may.
 */
export function parseOrdinaryJson(text: string, limits: JsonLimits): JsonValue | undefined {
  const scanned = scan(text, limits.depth);
  if (scanned === undefined || scanned.members > limits.keys) return undefined;
  const { members, hasRareText, exact } = scanned;
  const hasExact = exact.length > 0;
  if (hasExact && hasRareText) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(hasExact ? marked(text, exact) : text) as JsonValue;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) {
    if (hasExact) return unmarked(value);
    return hasRareText && isRefusedText(value) ? undefined : value;
  }
  if (keysIn(value, hasRareText) !== members) return undefined;
  if (hasExact) unmark(value as Record<string, unknown>);
  return value;
}

/** The text with its exact numbers as strings that tell them from others. */
function marked(text: string, exact: readonly number[]): string {
  const parts: string[] = [];
  let done = 0;
  for (let at = 0; at < exact.length; at += 2) {
    const [start = 0, end = 0] = exact.slice(at, at + 2);
    parts.push(text.slice(done, start), '"\\u0000', text.slice(start, end), '"');
    done = end;
  }
  parts.push(text.slice(done));
  return parts.join('');
}

function unmarked(value: JsonValue): JsonValue {
  return typeof value === 'string' && value.startsWith('\0')
    ? new LosslessNumber(value.slice(1))
    : value;
}

/** Puts the numbers back where their marks are. */
function unmark(value: Record<string, unknown>): void {
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (typeof member === 'string') {
      if (member.startsWith('\0')) value[key] = new LosslessNumber(member.slice(1));
    } else if (typeof member === 'object' && member !== null)
      unmark(member as Record<string, unknown>);
  }
}

/** @returns undefined for more levels than `depth`, and for what begins like a number and is none. */
function scan(text: string, depth: number): Scanned | undefined {
  const { length } = text;
  let members = 0;
  let level = 0;
  let hasRareText = false;
  const exact: number[] = [];
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      for (at += 1; at < length; at += 1) {
        const inside = text.charCodeAt(at);
        if (inside === quote) break;
        if (inside === backslash) {
          at += 1;
          if (text.charCodeAt(at) === letterU) hasRareText = true;
        } else if (inside >= 0xd800 && inside <= 0xdfff) hasRareText = true;
      }
    } else if (code === colon) members += 1;
    else if (code === openBrace || code === openBracket) {
      level += 1;
      if (level > depth) return undefined;
    } else if (code === closeBrace || code === closeBracket) level -= 1;
    else if (code === minus || (code >= zero && code <= nine)) {
      const end = endOfOrdinaryNumber(text, at) ?? endOfExactNumber(text, at, exact);
      if (end === undefined) return undefined;
      at = end - 1;
    }
  }
  return { members, hasRareText, exact };
}

const anyNumber = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![-+.\deE])/y;

/** The end of any other number of JSON that begins here; where it is goes into `exact`. */
function endOfExactNumber(text: string, start: number, exact: number[]): number | undefined {
  anyNumber.lastIndex = start;
  if (!anyNumber.test(text)) return undefined;
  exact.push(start, anyNumber.lastIndex);
  return anyNumber.lastIndex;
}

const numberToken = /[-\d][-+.\deE]*/y;

/** The end of the number that begins here, if JavaScript prints it as it stands. */
function endOfOrdinaryNumber(text: string, start: number): number | undefined {
  let at = text.charCodeAt(start) === minus ? start + 1 : start;
  const first = at;
  let code = text.charCodeAt(at);
  while (code >= zero && code <= nine) code = text.charCodeAt((at += 1));
  const integers = at - first;
  // Fifteen digits survive a double, and one that is no zero leads them: no other text stands for the same number (IEEE 754: DBL_DIG). The rest is asked of JavaScript.
  if (integers > 0 && integers <= 15 && text.charCodeAt(first) !== zero && !goesOn(code)) return at;
  if (code === dot && integers > 0 && text.charCodeAt(first) !== zero) {
    const afterDot = at + 1;
    do code = text.charCodeAt((at += 1));
    while (code >= zero && code <= nine);
    const digits = integers + at - afterDot;
    if (at > afterDot && digits <= 15 && text.charCodeAt(at - 1) !== zero && !goesOn(code))
      return at;
  }
  numberToken.lastIndex = start;
  const token = numberToken.exec(text)?.[0] ?? '';
  return String(Number(token)) === token ? start + token.length : undefined;
}

/** True for a character with which the token of a number would go on. */
function goesOn(code: number): boolean {
  return (
    code === dot ||
    code === minus ||
    code === 0x2b ||
    code === 0x45 ||
    code === 0x65 ||
    (code >= zero && code <= nine)
  );
}

/** How many keys there are in all objects of a parsed value together; -1 if there is a key or a text that we refuse. */
function keysIn(value: object, hasRareText: boolean): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      const inside = keysBelow(item, hasRareText);
      if (inside < 0) return -1;
      count += inside;
    }
    return count;
  }
  for (const key in value) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') return -1;
    if (hasRareText && isRefusedText(key)) return -1;
    const inside = keysBelow((value as Record<string, unknown>)[key], hasRareText);
    if (inside < 0) return -1;
    count += 1 + inside;
  }
  return count;
}

function keysBelow(value: unknown, hasRareText: boolean): number {
  if (typeof value === 'object' && value !== null) return keysIn(value, hasRareText);
  return hasRareText && isRefusedText(value) ? -1 : 0;
}

function isRefusedText(value: unknown): boolean {
  return typeof value === 'string' && stringFault(value) !== undefined;
}
