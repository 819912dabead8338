export type JsonTextErrorCode =
  | 'JSON_SYNTAX'
  | 'JSON_DUPLICATE_KEY'
  | 'JSON_FORBIDDEN_KEY'
  | 'JSON_BAD_STRING'
  | 'JSON_TOO_DEEP'
  | 'JSON_TOO_MANY_KEYS'
  | 'JSON_UNREPRESENTABLE';

/** JSON that we do not take. `pointer` says where (RFC 6901; empty is the whole document). The message never quotes a value. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
  readonly code: JsonTextErrorCode;
  readonly pointer: string;
  constructor(code: JsonTextErrorCode, pointer: string, why: string) {
    super(`${pointer === '' ? 'the document' : pointer} ${why}`);
    this.code = code;
    this.pointer = pointer;
  }
}

/** `['a/b', 0]` gives `/a~1b/0`. Source: RFC 6901. A key is cut to 64 characters: it may be anything. */
export function jsonPointer(path: readonly (string | number)[]): string {
  return path
    .map((step) => {
      const text = String(step)
        .replace(/\p{Surrogate}/gu, '\ufffd')
        .replaceAll('\0', '\\u0000');
      const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text;
      return `/${shown.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    })
    .join('');
}

/**
 * Why a text would not come back from Postgres as it went in, or undefined. A lone surrogate is stored as U+FFFD without a
 * word by UTF-8 encoders; U+0000 is refused by Postgres.
 */
export function stringFault(text: string): string | undefined {
  // Most texts have neither half; to look for lone ones takes several times as long.
  if (!suspicious.test(text)) return undefined;
  if (/\p{Surrogate}/u.test(text))
    return 'holds half of a surrogate pair (\\ud800 to \\udfff alone)';
  if (text.includes('\0')) return 'holds the character U+0000';
  return undefined;
}

const suspicious = /[\0\ud800-\udfff]/;
