import { open, rm, type FileHandle } from 'node:fs/promises';
import type { LineError } from './import-row.ts';

/** The rows that were not imported, one JSON object a line, in the order of the input. Made when the first one comes. */
export class ErrorFile {
  readonly path: string;
  #bytes: number;
  #handle: FileHandle | undefined;

  private constructor(path: string, bytes: number) {
    this.path = path;
    this.#bytes = bytes;
  }

  /** @param keepBytes what of an earlier run stays: the rows after it come again. 0 begins anew. */
  static async begin(path: string, keepBytes: number): Promise<ErrorFile> {
    const file = new ErrorFile(path, keepBytes);
    if (keepBytes === 0) await rm(path, { force: true });
    else {
      file.#handle = await open(path, 'r+');
      await file.#handle.truncate(keepBytes);
    }
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
