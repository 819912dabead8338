/** A row that is not imported, and why; one line of the error file. */
export interface LineError {
  /** Line of the input where the row begins, from 1. */
  readonly line: number;
  readonly status: number;
  /** Problem type of the API (RFC 9457), such as `/problems/conflict`. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly violations?: unknown;
}

/** A row of the input: the JSON text to send, or why there is none. */
export type ImportRow =
  | { readonly line: number; readonly text: string }
  | { readonly line: number; readonly error: LineError };

/** A row that cannot be sent, in the form in which the API would refuse it. */
export function unreadable(line: number, detail: string): ImportRow {
  return {
    line,
    error: {
      line,
      status: 400,
      type: '/problems/malformed-json',
      title: 'The row cannot be read',
      detail,
    },
  };
}

/** Longest row, in characters: more than an entity may have. */
export const maxRowChars = 1_048_576;
