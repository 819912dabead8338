import { JsonNumber, parseJson, type JsonValue } from '@outbound/contract';

/** How the text of a column becomes JSON. `json`: the cell is JSON text. */
export type FieldKind = 'string' | 'number' | 'boolean' | 'json';

export const fieldKinds: readonly FieldKind[] = ['string', 'number', 'boolean', 'json'];

/** A row that does not follow the mapping; the message names field and column, and is written to the error file. */
export class RowFault extends Error {}

/** `true`, `TRUE` and 1 are what spreadsheets and databases write. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const shownChars = 60;

/**
 * A text as a value of its kind: a number to the digit, a boolean from true, false, 1 or 0.
 * @param where field and column, for the message.
 * @throws RowFault for a text that is none: it is never published as something else. JsonTextError for `json` that is
 * none.
 */
export function cellValue(text: string, kind: FieldKind, where: string): JsonValue {
  switch (kind) {
    case 'number':
      if (!jsonNumber.test(text)) throw noSuchKind(text, 'number, such as 12.50', where);
      return new JsonNumber(text);
    case 'boolean': {
      const value = booleans.get(text.toLowerCase());
      if (value === undefined) throw noSuchKind(text, 'true, false, 1 or 0', where);
      return value;
    }
    case 'json':
      return parseJson(text);
    case 'string':
      return text;
  }
}

/** Holds a value that came as JSON to a kind that was asked for. @throws RowFault */
export function requireKind(value: JsonValue, kind: FieldKind, where: string): JsonValue {
  const isKind =
    kind === 'json' ||
    (kind === 'number'
      ? typeof value === 'number' || value instanceof JsonNumber
      : typeof value === kind);
  if (!isKind) throw new RowFault(`${where} is no ${kind}`);
  return value;
}

function noSuchKind(text: string, kind: string, where: string): RowFault {
  const shown = text.length > shownChars ? `${text.slice(0, shownChars)}…` : text;
  return new RowFault(`${where} is ${JSON.stringify(shown)}, expected ${kind}`);
}
