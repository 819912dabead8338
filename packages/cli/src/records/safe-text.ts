/**
 * Control characters (C0, DEL, C1), line separators, and marks that change the direction of writing: what lets a record
 * rewrite a terminal.
 */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text on one line, without a character that a terminal obeys: those become `\n`, `\x1b`, `\u202e`. `keep` names
 * the ones that stay.
 */
export function safeText(text: string, keep = ''): string {
  return text.replace(unsafe, (character) => {
    if (keep.includes(character)) return character;
    const code = character.charCodeAt(0);
    return (
      short[character] ??
      (code < 0x100
        ? `\\x${code.toString(16).padStart(2, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`)
    );
  });
}

/** The bytes as text if they are UTF-8, else undefined. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The bytes as text; those that are not UTF-8 with `\xNN` for every byte that is not printable ASCII, so that nothing
 * is lost to a replacement character.
 */
export function anyText(bytes: Uint8Array): string {
  return (
    utf8Text(bytes) ??
    Array.from(bytes, (byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, '0')}`,
    ).join('')
  );
}
