import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const inflate = promisify(gunzip);

/** One line of a table: its cells by column name, as text, so that no number is rounded. */
export type Row = Readonly<Record<string, string>>;

/**
 * The rows of a compressed CSV file with a header line, in the file's order. Quotes are refused: our files have none.
 * @throws Error naming the file and line that is not as wide as the header.
 */
export async function readRows(file: URL): Promise<Row[]> {
  return parseRows((await inflate(await readFile(file))).toString(), file.pathname);
}

/** The same from text. `name` is what an error calls it. */
export function parseRows(text: string, name: string): Row[] {
  const [header, ...lines] = text.split(/\r?\n/).filter((line) => line !== '');
  const columns = header?.split(',') ?? [];
  return lines.map((line, index) => {
    const cells = line.split(',');
    if (cells.length !== columns.length || line.includes('"'))
      throw new Error(
        `${name} line ${index + 2} has ${cells.length} plain cells and the header ${columns.length}: restore the file from the repository`,
      );
    return Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? '']));
  });
}
