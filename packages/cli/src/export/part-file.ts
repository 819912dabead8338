import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CliError, exitCodes } from '../exit-codes.ts';
import { statePath, type ExportState } from './export-state.ts';

/** Bytes after which what was written is made safe, and the state says so. */
const checkpointBytes = 16 * 1_048_576;

/**
 * The file of an export while it is written: `FILE.part`, which takes the name of the file when all of it is there. So whoever finds the file has it whole, and the one before it until then.
 * **Order**: the disk has the bytes before the state counts them.
 */
export class PartFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #bytes: number;
  #safeBytes: number;

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#bytes = bytes;
    this.#safeBytes = bytes;
  }

  /**
   * @param from of a run that goes on: what is behind its bytes is cut off. Without it the file begins anew.
   * @throws CliError EXPORT_PART_GONE if less is there than the state says
   */
  static async open(path: string, from: ExportState | undefined): Promise<PartFile> {
    const part = partPath(path);
    if (from === undefined) {
      await rm(statePath(path), { force: true });
      return new PartFile(path, await open(part, 'w'), 0);
    }
    const handle = await open(part, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    const size = (await handle?.stat())?.size;
    if (handle === undefined || size === undefined || size < from.bytes) {
      await handle?.close();
      throw new CliError(
        'EXPORT_PART_GONE',
        `${part} should have ${from.bytes} bytes of the export that stopped, and ` +
          `${size === undefined ? 'is not there' : `has ${size}`}: restore it, or start without --resume`,
        { exitCode: exitCodes.usage },
      );
    }
    await handle.truncate(from.bytes);
    return new PartFile(path, handle, from.bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Writes all of it. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(
        bytes,
        done,
        bytes.length - done,
        this.#bytes + done,
      );
      done += bytesWritten;
    }
    this.#bytes += bytes.length;
  }

  get isDue(): boolean {
    return this.#bytes - this.#safeBytes >= checkpointBytes;
  }

  /** Makes what was written safe, and says so. What is there beyond the state goes first: on a full disk that makes the room for it. */
  async checkpoint(state: ExportState): Promise<void> {
    await this.#handle.truncate(state.bytes);
    await this.#handle.datasync();
    const path = statePath(this.#path);
    const handle = await open(`${path}.new`, 'w');
    try {
      await handle.writeFile(`${JSON.stringify(state)}\n`);
      await handle.datasync();
      await handle.close();
      await rename(`${path}.new`, path);
    } catch (error) {
      await handle.close();
      await rm(`${path}.new`, { force: true });
      throw error;
    }
    this.#safeBytes = state.bytes;
  }

  /** All is there: the file gets its name, in one step. */
  async finish(): Promise<void> {
    await this.#handle.sync();
    await this.#handle.close();
    await rename(partPath(this.#path), this.#path);
    await syncDirectory(dirname(this.#path));
    await rm(statePath(this.#path), { force: true });
  }

  /** Nothing of it is worth keeping. */
  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(partPath(this.#path), { force: true });
  }

  /** May be called again, and after `finish`. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Beside the file, so on the same disk: a name is changed in one step only there. */
export function partPath(file: string): string {
  return `${file}.part`;
}

/** The new name survives a loss of power, where the system can do that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch {
    // Not every file system takes it; the file itself is safe.
  } finally {
    await directory.close();
  }
}
