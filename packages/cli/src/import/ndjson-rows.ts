import { isJsonObject, JsonTextError, parseJson, type JsonObject } from '@outbound/schemas';
import { maxRowChars, unreadable, type ImportRow } from './import-row.ts';

/**
 * Rows of NDJSON text: one object a line; empty lines are left out. What cannot be read is an error of its line.
 * @param convert the object as it is to be sent; without it, the line goes out as it stands, to the digit.
 */
export async function* ndjsonRows(
  text: AsyncIterable<string>,
  convert?: (object: JsonObject) => string,
): AsyncGenerator<ImportRow> {
  for await (const { line, text: row } of lines(text)) {
    if (row === undefined) yield unreadable(line, `it has more than ${maxRowChars} characters`);
    else if (row.trim() !== '') yield toRow(line, row, convert);
  }
}

function toRow(
  line: number,
  text: string,
  convert: ((object: JsonObject) => string) | undefined,
): ImportRow {
  try {
    const value = parseJson(text);
    if (!isJsonObject(value)) return unreadable(line, 'it is no JSON object');
    return { line, text: convert === undefined ? text.trim() : convert(value) };
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    return unreadable(line, error.message);
  }
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
