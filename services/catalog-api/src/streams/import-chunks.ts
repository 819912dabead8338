import { createHash } from 'node:crypto';
import { fairTurn } from '../http/fair-turn.ts';
import { NdjsonLines, type NdjsonLine } from './ndjson-lines.ts';

/** Most lines, and most characters but for the first line, of one transaction. */
export const importChunk = { lines: 100, characters: 262_144 };

/** What is written in one transaction. */
export interface ImportChunk {
  /** From 0. */
  readonly number: number;
  readonly lines: readonly NdjsonLine[];
  readonly characters: number;
}

/**
 * Cuts lines into chunks. The same lines give the same chunks however their bytes arrived: the number of a chunk is part of what an Idempotency-Key names.
 */
export class ImportChunks {
  #lines: NdjsonLine[] = [];
  #characters = 0;
  #number = 0;

  /** Characters of the lines that wait for their chunk to be full. */
  get characters(): number {
    return this.#characters;
  }

  /** Takes the next line and gives the chunks that are full by it: the one before it, where it has no room there, and its own. */
  *add(line: NdjsonLine): Generator<ImportChunk> {
    const added = 'text' in line ? line.text.length : 0;
    if (this.#lines.length > 0 && this.#characters + added > importChunk.characters)
      yield this.#take();
    this.#lines.push(line);
    this.#characters += added;
    if (this.#lines.length === importChunk.lines) yield this.#take();
  }

  /** The last chunk; undefined if there were no lines. */
  end(): ImportChunk | undefined {
    return this.#lines.length === 0 ? undefined : this.#take();
  }

  #take(): ImportChunk {
    const chunk = {
      number: this.#number,
      lines: this.#lines,
      characters: this.#characters,
    };
    this.#number += 1;
    this.#lines = [];
    this.#characters = 0;
    return chunk;
  }
}

/** SHA-256 of what the lines of a chunk say, and of how they are meant. */
export function chunkHash(chunk: ImportChunk, meaning: string): Buffer {
  const hash = createHash('sha256').update(meaning);
  for (const line of chunk.lines)
    hash.update(`\n${line.number} ${'text' in line ? line.text : line.mark}`);
  return hash.digest();
}

/** Cuts a body into chunks as it comes; other requests have their turn between its pieces. @param onHeld told how many bytes wait here. */
export async function* readChunks(
  bytes: AsyncIterable<Buffer>,
  onHeld: (bytes: number) => void,
): AsyncGenerator<ImportChunk> {
  const takeTurn = fairTurn();
  const lines = new NdjsonLines();
  const chunks = new ImportChunks();
  for await (const piece of bytes) {
    for (const line of lines.push(piece))
      for (const full of chunks.add(line)) {
        onHeld(full.characters + lines.keptBytes + piece.length);
        yield full;
      }
    onHeld(chunks.characters + lines.keptBytes);
    await takeTurn();
  }
  for (const line of lines.end()) yield* chunks.add(line);
  const last = chunks.end();
  if (last !== undefined) yield last;
}
