import { JsonTextError } from '@outbound/contract';
import { RowFault } from './cell-value.ts';

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

/** A row that does not follow its mapping, in the form in which the API would refuse it. */
export function unfit(line: number, detail: string): ImportRow {
  return {
    line,
    error: {
      line,
      status: 400,
      type: '/problems/validation-failed',
      title: 'The row does not fit its mapping',
      detail,
    },
  };
}

/**
 * The row that the text makes, or why it makes none.
 * @param text makes it; what is wrong with the row it throws as RowFault or JsonTextError.
 */
export function toRow(line: number, text: () => string): ImportRow {
  try {
    return { line, text: text() };
  } catch (error) {
    if (error instanceof RowFault) return unfit(line, error.message);
    if (error instanceof JsonTextError) return unreadable(line, error.message);
    throw error;
  }
}

/** Longest row, in characters: more than an entity may have. */
export const maxRowChars = 1_048_576;
