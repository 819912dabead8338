import { isJsonObject, parseJson, type JsonObject } from '@outbound/contract';
import type { RowPlace } from './field-source.ts';
import { maxRowChars, toRow, unreadable, type ImportRow } from './import-row.ts';

/** An object as it is to be sent; undefined for one that is no row. */
export type ConvertObject = (object: JsonObject, place: RowPlace) => string | undefined;

/**
 * Rows of NDJSON text: one object a line; empty lines are left out. What cannot be read is an error of its line.
 * @param convert without it, the line goes out as it stands, to the digit.
 */
export async function* ndjsonRows(
  text: AsyncIterable<string>,
  convert?: ConvertObject,
): AsyncGenerator<ImportRow> {
  let row = 0;
  for await (const { line, text: whole } of lines(text)) {
    if (whole?.trim() === '') continue;
    row += 1;
    if (whole === undefined) {
      yield unreadable(line, `it has more than ${maxRowChars} characters`);
      continue;
    }
    const made = objectRow(whole, { row, line }, convert);
    if (made === undefined) row -= 1;
    else yield made;
  }
}

function objectRow(
  text: string,
  place: RowPlace,
  convert: ConvertObject | undefined,
): ImportRow | undefined {
  let isObject = true;
  let isRow = true;
  const row = toRow(place.line, () => {
    const value = parseJson(text);
    isObject = isJsonObject(value);
    if (!isJsonObject(value)) return '';
    if (convert === undefined) return text.trim();
    const converted = convert(value, place);
    isRow = converted !== undefined;
    return converted ?? '';
  });
  if (!isRow) return undefined;
  return isObject ? row : unreadable(place.line, 'it is no JSON object');
}

/** Lines, numbered from 1; `text` is undefined for one that is too long to hold. */
async function* lines(
  text: AsyncIterable<string>,
): AsyncGenerator<{ line: number; text: string | undefined }> {
  let line = 1;
  let rest = '';
  let isTooLong = false;
  for await (const chunk of text) {
    let start = 0;
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      const whole = rest + chunk.slice(start, end);
      yield { line, text: isTooLong || whole.length > maxRowChars ? undefined : whole };
      [rest, isTooLong, start] = ['', false, end + 1];
      line += 1;
    }
    rest += chunk.slice(start);
    if (rest.length > maxRowChars) [rest, isTooLong] = ['', true];
  }
  if (rest !== '' || isTooLong) yield { line, text: isTooLong ? undefined : rest };
}
