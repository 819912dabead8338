import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Some lines of an export, as they are written. */
export interface ExportBlock {
  readonly bytes: Uint8Array;
  /** Entities in it. */
  readonly count: number;
  /** Id of the last one; undefined where there is none in it. */
  readonly last: string | undefined;
}

/** Characters of a block, but for the last line of it. */
export const blockChars = 1_048_576;

const packed = promisify(gzip);

/**
 * Gathers lines into blocks. Each block of a gzip file is a member of its own (RFC 1952 2.2), so the file may end behind any block, and go on there another day.
 * Where the lines break off, those that came are a block before the error.
 * @param lines without their ends; those without an id are no entities.
 */
export async function* exportBlocks(
  lines: AsyncIterable<{ readonly id?: string; readonly text: string }>,
  { isGzip }: { readonly isGzip: boolean },
): AsyncGenerator<ExportBlock> {
  let text = '';
  let count = 0;
  let last: string | undefined;
  const take = async (): Promise<ExportBlock> => {
    const bytes = Buffer.from(text);
    const block = { bytes: isGzip ? await packed(bytes) : bytes, count, last };
    [text, count, last] = ['', 0, undefined];
    return block;
  };
  try {
    for await (const line of lines) {
      text += `${line.text}\n`;
      if (line.id !== undefined) [count, last] = [count + 1, line.id];
      if (text.length >= blockChars) yield await take();
    }
  } catch (error) {
    // What came is there to be gone on from.
    if (text !== '') yield await take();
    throw error;
  }
  if (text !== '') yield await take();
}
