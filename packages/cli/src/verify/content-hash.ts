import { hash } from 'node:crypto';
import { JsonNumber } from '@outbound/contract';

/** 64 bits of SHA-1, as two unsigned 32-bit numbers: tells contents apart by accident, not by malice. */
export interface ContentHash {
  readonly high: number;
  readonly low: number;
}

/**
 * The hash of a JSON value by its meaning: the order of members does not count, everything else does, each digit of a
 * number included
 * (`1.50` is not `1.5`, because a consumer may show it). So an entity read from its row and the same entity read back
 * from its record have one hash.
 * @param value as `parseJson` gives it, or as `stringifyJson` takes it.
 */
export function contentHash(value: unknown): ContentHash {
  const digest = hash('sha1', canonicalJson(value), 'hex');
  return { high: parseInt(digest.slice(0, 8), 16), low: parseInt(digest.slice(8, 16), 16) };
}

/**
 * JSON text without white space, with members sorted by UTF-16 code units; `undefined` members are left out, numbers
 * keep their text. Source: RFC 8785, but for numbers.
 */
export function canonicalJson(value: unknown): string {
  if (value instanceof JsonNumber) return value.value;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as Readonly<Record<string, unknown>>;
  const members: string[] = [];
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(',')}}`;
}
