import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { LineError } from './import-row.ts';

/**
 * The rows that were not imported, one JSON object a line, in the order of the input. Made when the first one comes.
 */
export class ErrorFile {
  readonly path: string;
  #bytes: number;
  #handle: FileHandle | undefined;

  private constructor(path: string, bytes: number) {
    this.path = path;
    this.#bytes = bytes;
  }

  /**
   * @param keepBytes what of an earlier run stays: the rows after it come again. 0 begins anew.
   * @param options.mayReplace false: a list that is there already is left alone, and IMPORT_ERRORS_KEPT.
   * @throws CliError IMPORT_ERRORS_FOREIGN for a file that is no such list: it is left as it is. IMPORT_ERRORS_GONE if
   * less than `keepBytes` is there.
   */
  static async begin(
    path: string,
    keepBytes: number,
    { mayReplace = true }: { readonly mayReplace?: boolean } = {},
  ): Promise<ErrorFile> {
    const file = new ErrorFile(path, keepBytes);
    const bytes = await sizeOfList(path);
    if (bytes !== undefined && !mayReplace)
      throw new CliError(
        'IMPORT_ERRORS_KEPT',
        `${path} may be the list of a run that goes on with --resume: name another file for the dry run, or ` +
          'remove this one',
        { exitCode: exitCodes.usage },
      );
    if (keepBytes === 0) {
      if (bytes !== undefined) await rm(path, { force: true });
      return file;
    }
    if (bytes === undefined || bytes < keepBytes)
      throw new CliError(
        'IMPORT_ERRORS_GONE',
        `${path} lists the refused rows of the run that stopped, ${keepBytes} bytes, and ` +
          `${bytes === undefined ? 'is not there' : `has ${bytes}`}: restore it, or start without --resume, ` +
          'which creates nothing twice',
        { exitCode: exitCodes.usage },
      );
    file.#handle = await open(path, 'r+');
    await file.#handle.truncate(keepBytes);
    return file;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async append(errors: readonly LineError[]): Promise<void> {
    if (errors.length === 0) return;
    this.#handle ??= await open(this.path, 'w');
    const text = Buffer.from(errors.map((error) => `${JSON.stringify(error)}\n`).join(''));
    await this.#handle.write(text, 0, text.length, this.#bytes);
    this.#bytes += text.length;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

const listedRow = z.object({ line: z.int(), status: z.int(), type: z.string(), title: z.string() });
const firstLineBytes = 65_536;

/** Bytes of an earlier list; undefined if there is no file. @throws CliError IMPORT_ERRORS_FOREIGN */
async function sizeOfList(path: string): Promise<number | undefined> {
  const refuse = (why: string): never => {
    throw new CliError(
      'IMPORT_ERRORS_FOREIGN',
      `${path} ${why}, so it is not written over: name another file with --errors, or remove this one`,
      { exitCode: exitCodes.usage },
    );
  };
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!found.isFile()) return refuse('is no regular file');
  if (found.size === 0) return 0;
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(firstLineBytes),
      0,
      firstLineBytes,
      0,
    );
    const [first = ''] = buffer.toString('utf8', 0, bytesRead).split('\n', 1);
    if (!listedRow.safeParse(parsed(first)).success) refuse('is no list of refused rows');
  } finally {
    await handle.close();
  }
  return found.size;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
