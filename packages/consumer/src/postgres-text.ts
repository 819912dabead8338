import { createHash } from 'node:crypto';

const escapedMark = '\\json:';
const digestMark = '\\sha256:';
/** Bytes of UTF-8. With a group's and a topic's name it is less than the 2,704 that an entry of a B-tree may have. */
const longestIndexed = 1000;

/** NUL, which Postgres refuses, and half a surrogate pair, which UTF-8 cannot say: drivers make U+FFFD of it. */
// eslint-disable-next-line no-control-regex -- NUL is what is looked for
const unstorable = /\u0000|\p{Surrogate}/u;

/**
 * Any text in a form that Postgres' `text` holds and `fromPostgresText` leads back from: nearly always the text itself.
 * Else, and where a text begins like such a form, a mark and the text as JSON, which escapes what Postgres does not take.
 */
export function toPostgresText(text: string): string {
  const isItself =
    !unstorable.test(text) && !text.startsWith(escapedMark) && !text.startsWith(digestMark);
  // JSON escapes half a pair, and NUL (ECMA-262, QuoteJSONString).
  return isItself ? text : escapedMark + JSON.stringify(text);
}

/** The text of which `toPostgresText` made this one. */
export function fromPostgresText(stored: string): string {
  if (!stored.startsWith(escapedMark)) return stored;
  try {
    const text: unknown = JSON.parse(stored.slice(escapedMark.length));
    return typeof text === 'string' ? text : stored;
  } catch {
    // Written by a release that knew no forms.
    return stored;
  }
}

/**
 * What stands in an index for a text: `toPostgresText` of it, or a digest of that beyond 1,000 bytes, which may be more
 * than an entry of an index takes. Different texts have different ones. There is no way back from a digest.
 */
export function indexedText(text: string): string {
  const stored = toPostgresText(text);
  if (!isLongForIndex(stored)) return stored;
  return digestMark + createHash('sha256').update(stored).digest('hex');
}

/** The digest in SQL, of a column with a text that `isLongSql` holds for. */
export function digestSql(column: string): string {
  return `'${digestMark}' || encode(sha256(convert_to(${column}, 'UTF8')), 'hex')`;
}

/** True in SQL where a column has a text that `indexedText` makes a digest of. */
export function isLongSql(column: string): string {
  return `octet_length(${column}) > ${longestIndexed}`;
}

function isLongForIndex(stored: string): boolean {
  // A unit of UTF-16 is three bytes at the most.
  return stored.length * 3 > longestIndexed && Buffer.byteLength(stored) > longestIndexed;
}
