import type { JsonValue } from './json.ts';
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
}

/**
 * The value of a JSON text, if it is one that JSON.parse reads without loss and in which there is nothing that we refuse; else undefined, and the careful parser
 * says what it is. Most documents are of this kind, and take it several times faster: no set of keys is made, because a duplicate shows in the numbers of keys before and after.
 */
export function parseOrdinaryJson(text: string, limits: JsonLimits): JsonValue | undefined {
  const scanned = scan(text, limits.depth);
  if (scanned === undefined || scanned.members > limits.keys) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  const { members, hasRareText } = scanned;
  if (typeof value !== 'object' || value === null)
    return hasRareText && isRefusedText(value) ? undefined : value;
  return keysIn(value, hasRareText) === members ? value : undefined;
}

/** @returns undefined for a number that JavaScript would write in another way, and for more levels than `depth`. */
function scan(text: string, depth: number): Scanned | undefined {
  const { length } = text;
  let members = 0;
  let level = 0;
  let hasRareText = false;
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
      const end = endOfOrdinaryNumber(text, at);
      if (end === undefined) return undefined;
      at = end - 1;
    }
  }
  return { members, hasRareText };
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
