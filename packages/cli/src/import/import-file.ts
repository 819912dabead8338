import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { CliError, exitCodes } from '../exit-codes.ts';

/** An input file as it is now. */
export interface ImportFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of its bytes, hexadecimal: what makes a repetition one. */
  readonly hash: string;
}

/** Reads the file once, for its hash. @throws CliError IMPORT_FILE_UNREADABLE */
export async function inspectFile(path: string, signal: AbortSignal): Promise<ImportFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    if (!(await stat(path)).isFile()) throw new Error('it is no regular file');
    for await (const chunk of createReadStream(path, { signal, highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new CliError(
      'IMPORT_FILE_UNREADABLE',
      `the file ${path} cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
      { exitCode: exitCodes.usage, cause },
    );
  }
  return { path, bytes, hash: hash.digest('hex') };
}

/**
 * The text of a UTF-8 file, piece by piece, without its byte order mark; a `.gz` file is unpacked.
 * @param onRead told how many bytes of the file were read.
 * @throws CliError IMPORT_FILE_UNREADABLE for what is no whole gzip file; IMPORT_NOT_UTF8 rather than putting a replacement character into somebody's data.
 */
export async function* readText(
  path: string,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): AsyncGenerator<string> {
  const file = createReadStream(path, { signal, highWaterMark: 1 << 16 });
  let bytes = 0;
  file.on('data', (chunk) => onRead((bytes += chunk.length)));
  const source = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  if (source !== file) file.on('error', (error) => source.destroy(error));
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new CliError(
        'IMPORT_NOT_UTF8',
        `${path} is not UTF-8 somewhere before byte ${bytes}: convert it, for example with iconv -t utf-8`,
        { exitCode: exitCodes.usage, cause },
      );
    }
  };
  try {
    for await (const chunk of source) {
      const text = decode(chunk as Buffer);
      if (text !== '') yield text;
    }
    const rest = decode();
    if (rest !== '') yield rest;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code?.startsWith('Z_') !== true) throw cause;
    throw new CliError(
      'IMPORT_FILE_UNREADABLE',
      `${path} cannot be unpacked (${(cause as Error).message}): it is cut off, or no gzip; fetch it again`,
      { exitCode: exitCodes.usage, cause },
    );
  } finally {
    file.destroy();
  }
}
