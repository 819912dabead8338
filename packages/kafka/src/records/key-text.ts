import { isUtf8 } from 'node:buffer';

const hexMark = '\\x';

/**
 * A key as text, so that different bytes never become the same text: UTF-8 as it is; anything else (and what begins like it, or has a NUL, which Postgres' text
 * cannot hold) as `\x` and hexadecimal digits, the way Postgres writes bytes. `keyBytes` is the way back.
 */
export function keyText(key: Buffer): string {
  if (isUtf8(key) && !key.includes(0)) {
    const text = key.toString();
    if (!text.startsWith(hexMark)) return text;
  }
  return hexMark + key.toString('hex');
}

/** The bytes of a key of which `keyText` made this text. */
export function keyBytes(text: string): Buffer {
  return text.startsWith(hexMark)
    ? Buffer.from(text.slice(hexMark.length), 'hex')
    : Buffer.from(text);
}
