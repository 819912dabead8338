import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchResult } from './batch-client.ts';
import { chunkKey, type Chunk } from './chunks.ts';
import type { LineError } from './import-row.ts';
import type { ImportState } from './import-state.ts';

/** Sends the items of a chunk, or in a dry run judges them. The signal says that nobody waits for it any more. */
export type SendChunk = (
  items: Chunk['items'],
  about: { readonly key: string; readonly signal: AbortSignal },
) => Promise<BatchResult>;

/** What an import does with the world. */
export interface ImportParts {
  readonly chunks: AsyncIterable<Chunk>;
  readonly fileHash: string;
  readonly path: string;
  /** Where to begin; all chunks before it are passed over. */
  readonly from: ImportState;
  /** Requests that are out at once. */
  readonly width: number;
  /** Rows a second at the most; undefined: as fast as the API answers. */
  readonly rate: number | undefined;
  readonly signal: AbortSignal;
  readonly send: SendChunk;
  /**
   * Takes the errors of the next chunk; gives the length of the error file. Called in the order of the file, before
   * `save`.
   */
  readonly writeErrors: (errors: readonly LineError[]) => Promise<number>;
  /** Takes how far it is, after each chunk. */
  readonly save: (state: ImportState) => Promise<void>;
}

/**
 * Sends every chunk, several at once, and settles them in the order of the file: the state never says more than is
 * done, and never passes over a chunk.
 * @returns the state at the end.
 * @throws what `send` throws; the state that was saved last is then where to go on.
 */
export async function runImport(parts: ImportParts): Promise<ImportState> {
  const { chunks, from, width, rate } = parts;
  const failure = new AbortController();
  const signal = AbortSignal.any([parts.signal, failure.signal]);
  const out: { chunk: Chunk; result: Promise<BatchResult> }[] = [];
  let state = from;
  let sentRows = 0;
  const startedMs = performance.now();
  const settle = async (): Promise<void> => {
    const next = out.shift();
    if (!next) return;
    const { chunk } = next;
    const { created, createdBefore, errors, retries } = await next.result;
    const all = [...chunk.errors, ...errors].sort((a, b) => a.line - b.line);
    const errorBytes = await parts.writeErrors(all);
    state = {
      ...state,
      nextChunk: chunk.number + 1,
      line: chunk.lastLine,
      rows: state.rows + chunk.items.length + chunk.errors.length,
      created: state.created + created,
      createdBefore: state.createdBefore + createdBefore,
      refused: state.refused + all.length,
      retries: state.retries + retries,
      errorBytes,
    };
    await parts.save(state);
  };
  try {
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      if (chunk.number < from.nextChunk) continue;
      if (rate !== undefined) await pause(startedMs + (sentRows * 1000) / rate, signal);
      sentRows += chunk.items.length;
      const result = send(parts, chunk, signal);
      // Awaited in its turn; until then its failure must not end the process.
      result.catch(() => undefined);
      out.push({ chunk, result });
      if (out.length >= width) await settle();
    }
    while (out.length > 0) await settle();
    return state;
  } finally {
    failure.abort();
    await Promise.allSettled(out.map(({ result }) => result));
  }
}

function send(
  { send: sendChunk, fileHash, path }: ImportParts,
  chunk: Chunk,
  signal: AbortSignal,
): Promise<BatchResult> {
  const { items } = chunk;
  if (items.length === 0)
    return Promise.resolve({ created: 0, createdBefore: 0, errors: [], retries: 0 });
  return sendChunk(items, { key: chunkKey(fileHash, path, chunk), signal });
}

async function pause(dueMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = dueMs - performance.now();
  if (waitMs > 1) await sleep(waitMs, undefined, { signal });
}
