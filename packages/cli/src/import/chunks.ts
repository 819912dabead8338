import { createHash } from 'node:crypto';
import type { ImportRow, LineError } from './import-row.ts';

/** Rows that go out in one request. */
export interface Chunk {
  /** From 0, in the order of the file. The same file and options give the same chunks. */
  readonly number: number;
  readonly items: readonly { readonly line: number; readonly text: string }[];
  /** Rows among them that cannot be sent. */
  readonly errors: readonly LineError[];
  /** Line where its last row begins. */
  readonly lastLine: number;
}

/** Cuts rows into chunks of at most `maxRows` rows and about `maxChars` characters, a row being longer alone. */
export async function* chunksOf(
  rows: AsyncIterable<ImportRow>,
  { maxRows, maxChars }: { readonly maxRows: number; readonly maxChars: number },
): AsyncGenerator<Chunk> {
  let number = 0;
  let items: { line: number; text: string }[] = [];
  let errors: LineError[] = [];
  let lastLine = 0;
  let chars = 0;
  for await (const row of rows) {
    const length = 'text' in row ? row.text.length : 0;
    const count = items.length + errors.length;
    if (count > 0 && (count >= maxRows || chars + length > maxChars)) {
      yield { number, items, errors, lastLine };
      number += 1;
      [items, errors, chars] = [[], [], 0];
    }
    if ('text' in row) items.push(row);
    else errors.push(row.error);
    chars += length;
    lastLine = row.line;
  }
  if (items.length + errors.length > 0) yield { number, items, errors, lastLine };
}

/** The body of `POST /…/batch`. */
export function batchBody(items: Chunk['items']): string {
  return `{"items":[${items.map(({ text }) => text).join(',')}]}`;
}

/**
 * The Idempotency-Key of a chunk: of the file's content, the place in it, and what is sent. A run that is repeated or
 * resumed, here or on another
 * machine, has the same keys, and the API creates nothing twice while it remembers them (24 hours; after that the
 * unique keys of the rows hold).
 */
export function chunkKey(fileHash: string, path: string, { number, items }: Chunk): string {
  const hash = createHash('sha256')
    .update(`${fileHash}\n${path}\n${number}\n`)
    .update(batchBody(items))
    .digest('hex');
  return `import-${hash.slice(0, 40)}`;
}
