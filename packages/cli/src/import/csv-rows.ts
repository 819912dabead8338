import { pipeline, Readable } from 'node:stream';
import { JsonTextError } from '@outbound/schemas';
import { CsvError, parse } from 'csv-parse';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { FieldSource } from './field-map.ts';
import { rowToJson } from './field-map.ts';
import { maxRowChars, unreadable, type ImportRow } from './import-row.ts';

interface Parsed {
  readonly record: readonly string[];
  readonly info: { readonly lines: number; readonly error?: CsvError };
}

/**
 * Rows of CSV text (RFC 4180) whose first record names the columns. Records may span lines; a record with too few or too many cells is an error
 * of its line, and a quote that never ends is one of the whole file, because nothing says then where the next record begins.
 * @param plan makes the fields out of the columns, once they are known.
 * @throws CliError IMPORT_CSV_BROKEN, and what `plan` throws.
 */
export async function* csvRows(
  text: AsyncIterable<string>,
  options: {
    readonly delimiter: string;
    readonly plan: (columns: readonly string[]) => readonly FieldSource[];
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
  let columns: readonly string[] | undefined;
  let index: ReadonlyMap<string, number> = new Map();
  let sources: readonly FieldSource[] = [];
  let drift = 0;
  try {
    for await (const parsed of parser) {
      const { record, info } = parsed as Parsed;
      // The parser counts up to the line where a record ends, and a CRLF inside quotes as two lines.
      const counted = count(record, /[\r\n]/g);
      const at = info.lines - counted - drift;
      drift += counted - count(record, /\n/g);
      if (columns === undefined) {
        columns = record.map((name) => name.trim());
        index = new Map(columns.map((name, position) => [name, position]));
        sources = options.plan(uniqueColumns(columns));
        continue;
      }
      if (record.length !== columns.length) {
        yield unreadable(
          at,
          `it has ${record.length} cells, and there are ${columns.length} columns`,
        );
        continue;
      }
      yield toRow(at, () => rowToJson(sources, (column) => record[index.get(column) ?? -1] ?? ''));
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    // Its own message may quote the data, and the line in it is where it gave up, which may be the end of the file.
    const { records } = cause as CsvError & { readonly records?: unknown };
    throw new CliError(
      'IMPORT_CSV_BROKEN',
      `record ${Number(records) + 1} of the CSV, counted with the header, cannot be read (${cause.code}): look for a quote in it that is not doubled, or has no end`,
      { exitCode: exitCodes.usage, cause },
    );
  }
}

function uniqueColumns(columns: readonly string[]): readonly string[] {
  const twice = columns.find((name, position) => columns.indexOf(name) !== position);
  if (twice === undefined) return columns;
  throw new CliError('IMPORT_CSV_BROKEN', `two columns are called "${twice}": rename one`, {
    exitCode: exitCodes.usage,
  });
}

function toRow(line: number, text: () => string): ImportRow {
  try {
    return { line, text: text() };
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    return unreadable(line, error.message);
  }
}

function count(cells: readonly string[], pattern: RegExp): number {
  let found = 0;
  for (const cell of cells) found += cell.match(pattern)?.length ?? 0;
  return found;
}
