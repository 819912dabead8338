import type { FileHandle } from 'node:fs/promises';
import { eachLine, lineChunks } from './byte-lines.ts';
import { KeyIndex } from './key-index.ts';
import { isOlder } from './memory-store.ts';
import { keyOfLine, LineWriter, readStateLine } from './snapshot-lines.ts';
import type { StateEntry } from './state-store.ts';

/** Far above what a broker takes as one record; a file without line ends is not read into memory. */
const maxLineBytes = 64 * 1024 * 1024;

/** Lines are gathered up to about this before they are written. */
const flushBytes = 1024 * 1024;

/** A part of a file that holds lines. */
interface Segment {
  readonly file: FileHandle;
  readonly from: number;
  to: number;
  /** Address of the byte at `from`; what comes later has higher ones. */
  readonly start: number;
}

/** A line of a file that is not one of a state. */
export class BadLine extends Error {
  /** Counted from 1, from where the reading began. */
  readonly lineNumber: number;
  constructor(lineNumber: number, cause: unknown) {
    super(`line ${lineNumber} is not what it should be`, { cause });
    this.lineNumber = lineNumber;
  }
}

/**
 * States as lines on the disk, of which the last of each key counts; in memory is only where it stands. Lines are
 * appended to a working file; when more of
 * them are dead than alive it is written anew. Calls come one after the other.
 */
export class StateLines {
  readonly #openWorkingFile: () => Promise<FileHandle>;
  readonly #deadLinesWorthIt: number;
  readonly #index = new KeyIndex();
  readonly #writer = new LineWriter();
  #segments: Segment[] = [];
  /** The segment that is appended to. */
  #working: Segment | undefined;
  #lineCount = 0;

  /**
   * @param openWorkingFile gives an empty file that goes when it is closed, to be read and written.
   * @param deadLinesWorthIt lines that count no more are left out when there are more of them than of the others, and
   * so many.
   */
  constructor(openWorkingFile: () => Promise<FileHandle>, deadLinesWorthIt = 200_000) {
    this.#openWorkingFile = openWorkingFile;
    this.#deadLinesWorthIt = deadLinesWorthIt;
  }

  /** Keys that have a state. */
  get size(): number {
    return this.#index.size;
  }

  /**
   * Takes the lines of a file, from the byte `from` to the byte `to`, where they stand. The file is closed with the
   * others, and must stay as it is until then.
   * @throws BadLine; nothing of it is taken then but the file
   */
  async adopt(file: FileHandle, { from, to }: { readonly from: number; readonly to: number }) {
    const segment = { file, from, to, start: this.#nextAddress() };
    this.#segments.push(segment);
    let lineNumber = 0;
    try {
      for await (const { bytes, position } of lineChunks(file, { from, to, maxLineBytes }))
        eachLine(bytes, (begin, end) => {
          lineNumber += 1;
          if (end === bytes.length) throw new Error('it has no end');
          const { key, version } = readStateLine(bytes.subarray(begin, end));
          this.#index.set(key, { address: addressOf(segment, position + begin), version });
        });
    } catch (thrown) {
      this.#index.clear();
      throw new BadLine(lineNumber, thrown);
    }
    this.#lineCount += lineNumber;
  }

  /**
   * Takes what is no older than what is there.
   * @param entries at most one of each key, their values JSON.
   * @throws what the file system says: nothing of them counts then.
   */
  async apply(entries: readonly StateEntry[]): Promise<void> {
    // Of a step that failed.
    this.#writer.reset();
    const start = this.#nextAddress();
    const news: StateEntry[] = [];
    const addresses: number[] = [];
    let length = 0;
    for (const entry of entries) {
      const { key, version, value } = entry;
      if (isOlder(version, this.#index.get(key)?.version)) continue;
      news.push(entry);
      if (!value) continue;
      addresses.push(start + length + this.#writer.write(key, version, value));
      if (this.#writer.length >= flushBytes) length += await this.#flush(length);
    }
    length += await this.#flush(length);
    // Behind all writes, without another wait: the step counts as a whole.
    let put = 0;
    for (const { key, version, value } of news)
      if (value) this.#index.set(key, { address: addresses[put++] ?? 0, version });
      else this.#index.remove(key);
    this.#lineCount += put;
    if (this.#working) this.#working.to += length;
    if (this.#lineCount > 2 * this.size + this.#deadLinesWorthIt) await this.#compact();
  }

  /**
   * The lines that count, in the order in which they were written; each buffer is written over when the next is asked
   * for.
   * @param onLine told of each, with its entry in the index and where it begins in what is given.
   */
  async *live(onLine?: (entry: number, at: number) => void): AsyncGenerator<Buffer> {
    let given = 0;
    for (const segment of this.#segments) {
      const { file, from, to } = segment;
      for await (const { bytes, position } of lineChunks(file, { from, to, maxLineBytes })) {
        let kept = 0;
        eachLine(bytes, (begin, end) => {
          const key = keyOfLine(bytes.subarray(begin, end));
          const entry = this.#index.entryAt(key, addressOf(segment, position + begin));
          if (entry < 0) return;
          onLine?.(entry, given + kept);
          // With its end; downwards, so nothing is written over that is still to be looked at.
          if (kept < begin) bytes.copyWithin(kept, begin, end + 1);
          kept += end + 1 - begin;
        });
        if (kept > 0) yield bytes.subarray(0, kept);
        given += kept;
      }
    }
  }

  /**
   * Writes what was gathered behind the lines that count and `before` bytes that are not counted yet. @returns how much
   * that was
   */
  async #flush(before: number): Promise<number> {
    const { bytes } = this.#writer;
    if (bytes.length > 0) {
      this.#working ??= await this.#openSegment();
      await writeAll(this.#working, before, bytes);
      this.#writer.reset();
    }
    return bytes.length;
  }

  /** Forgets everything. */
  async clear(): Promise<void> {
    this.#index.clear();
    await this.close();
  }

  /** Closes the files; the lines are gone. */
  async close(): Promise<void> {
    const segments = this.#segments;
    [this.#segments, this.#working, this.#lineCount] = [[], undefined, 0];
    await Promise.all(segments.map(({ file }) => file.close()));
  }

  async #openSegment(): Promise<Segment> {
    const file = await this.#openWorkingFile();
    const segment = { file, from: 0, to: 0, start: this.#nextAddress() };
    this.#segments.push(segment);
    return segment;
  }

  #nextAddress(): number {
    const last = this.#segments.at(-1);
    return last ? addressOf(last, last.to) : 0;
  }

  async #compact(): Promise<void> {
    const file = await this.#openWorkingFile();
    const segment: Segment = { file, from: 0, to: 0, start: this.#nextAddress() };
    const entries = new Uint32Array(this.size);
    const places = new Float64Array(this.size);
    let count = 0;
    try {
      const lines = this.live((entry, at) => {
        entries[count] = entry;
        places[count] = at;
        count += 1;
      });
      for await (const bytes of lines) {
        await writeAll(segment, 0, bytes);
        segment.to += bytes.length;
      }
    } catch (thrown) {
      // The old ones are as they were.
      await file.close();
      throw thrown;
    }
    for (const [nth, entry] of entries.entries())
      this.#index.move(entry, addressOf(segment, places[nth] ?? 0));
    await this.close();
    [this.#segments, this.#working, this.#lineCount] = [[segment], segment, count];
  }
}

function addressOf({ start, from }: Segment, position: number): number {
  return start + position - from;
}

/** So many bytes behind the end of the segment, which is not longer for it yet. */
async function writeAll({ file, to }: Segment, behind: number, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const at = to + behind + done;
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at);
    done += bytesWritten;
  }
}
