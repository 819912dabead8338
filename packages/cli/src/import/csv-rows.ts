import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { RowPlace } from './field-source.ts';
import { maxRowChars, toRow, unreadable, type ImportRow } from './import-row.ts';

interface Parsed {
  readonly record: readonly string[];
  readonly info: { readonly lines: number; readonly error?: CsvError };
}

/** Makes the JSON text of a row out of its cells, each asked for by its column. */
export type ConvertRow = (cell: (column: string) => string, place: RowPlace) => string;

/**
 * Rows of CSV text (RFC 4180) whose first record names the columns. Records may span lines; a record with too few or
 * too many cells is an error
 * of its line, and a quote that never ends is one of the whole file, because nothing says then where the next record
 * begins. As spreadsheets write
 * them, rows without any content and empty cells behind the last column mean nothing; a cell with content under a
 * column without a name is an
 * error of its line unless `ignoreOthers`.
 * @param plan makes the conversion out of the columns that have a name, once they are known.
 * @throws CliError IMPORT_CSV_BROKEN, and what `plan` throws.
 */
export async function* csvRows(
  text: AsyncIterable<string>,
  options: {
    readonly delimiter: string;
    readonly ignoreOthers: boolean;
    readonly plan: (columns: readonly string[]) => ConvertRow;
  },
): AsyncGenerator<ImportRow> {
  const parser = parse({
    delimiter: options.delimiter,
    // Left to itself, it takes that of the first line for all of them.
    record_delimiter: ['\r\n', '\n'],
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxRowChars,
  });
  // What fails on the way in is thrown by the loop.
  pipeline(Readable.from(text), parser, () => undefined);
  let header: Header | undefined;
  let convert: ConvertRow = () => '';
  let drift = 0;
  let row = 0;
  try {
    for await (const parsed of parser) {
      const { record, info } = parsed as Parsed;
      // The parser counts up to the line where a record ends, and a CRLF inside quotes as two lines.
      const counted = count(record, /[\r\n]/g);
      const line = info.lines - counted - drift;
      drift += counted - count(record, /\n/g);
      if (record.every((cell) => cell === '')) continue;
      if (header === undefined) {
        header = readHeader(record);
        convert = options.plan([...header.index.keys()]);
        continue;
      }
      row += 1;
      const { index } = header;
      const fault = faultOf(record, header, options.ignoreOthers);
      yield fault === undefined
        ? toRow(line, () =>
            convert((column) => record[index.get(column) ?? -1] ?? '', { row, line }),
          )
        : unreadable(line, fault);
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    // Its own message may quote the data, and the line in it is where it gave up, which may be the end of the file.
    const { records } = cause as CsvError & { readonly records?: unknown };
    throw broken(
      `record ${Number(records) + 1} of the CSV, counted with the header, cannot be read (${cause.code}): ` +
        'look for a quote in it that is not doubled, or has no end',
      cause,
    );
  }
}

interface Header {
  /** Cells of the header, those without a name too. */
  readonly cells: number;
  /** Cells up to the last one that has a name. */
  readonly named: number;
  /** Place of each column that has a name. */
  readonly index: ReadonlyMap<string, number>;
}

function readHeader(record: readonly string[]): Header {
  const index = new Map<string, number>();
  let named = 0;
  for (const [position, cell] of record.entries()) {
    const name = cell.trim();
    if (name === '') continue;
    if (index.has(name)) throw broken(`two columns are called "${name}": rename one`);
    index.set(name, position);
    named = position + 1;
  }
  return { cells: record.length, named, index };
}

/** Why the cells do not fit the columns; undefined if they do. */
function faultOf(
  record: readonly string[],
  { cells, named, index }: Header,
  ignoreOthers: boolean,
): string | undefined {
  const hasMore = record.slice(cells).some((cell) => cell !== '');
  if (hasMore || record.length < named)
    return `it has ${record.length} cells, and there are ${cells} columns`;
  if (ignoreOthers) return undefined;
  const places = new Set(index.values());
  const nameless = record.findIndex((cell, position) => cell !== '' && !places.has(position));
  if (nameless === -1) return undefined;
  return `cell ${nameless + 1} stands under a column without a name: name it, or say --ignore-others to leave it out`;
}

function broken(message: string, cause?: CsvError): CliError {
  return new CliError('IMPORT_CSV_BROKEN', message, { exitCode: exitCodes.usage, cause });
}

function count(cells: readonly string[], pattern: RegExp): number {
  let found = 0;
  for (const cell of cells) found += cell.match(pattern)?.length ?? 0;
  return found;
}
