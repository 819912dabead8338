import { stringifyJson } from '@outbound/contract';
import type { Answer } from '../catalog/idempotency.ts';
import { ApiError } from '../errors.ts';
import type { ImportChunk } from './import-chunks.ts';

/** What an import runs on. */
export interface ImportSteps<Prepared> {
  readonly chunks: AsyncIterable<ImportChunk>;
  /** Checks the lines of a chunk, while the chunk before it is written. */
  readonly prepare: (chunk: ImportChunk) => Promise<Prepared>;
  /** Writes a chunk in one transaction. Its answer's body has a line for each outcome, which begins with the line's number and the status: it is sent, counted and filtered without being parsed. */
  readonly write: (chunk: ImportChunk, prepared: Prepared) => Promise<Answer>;
  /** Leaves out what succeeded (`Prefer: return=minimal`). */
  readonly isMinimal: boolean;
  /** Of an error after the first answer: the line that ends the stream. */
  readonly problemLine: (error: unknown) => string;
}

/**
 * Runs an import and gives its answer bit by bit: an outcome for each line in their order, then `{"end":…}`; or `{"problem":…}` if it broke off, and then what has no outcome was not done, but for
 * an unknown one. While a chunk is written the next one is read and checked, and no more than that.
 * @throws what went wrong before there was an outcome.
 */
export async function* importAnswer<Prepared>(
  steps: ImportSteps<Prepared>,
): AsyncGenerator<string> {
  const { chunks, prepare, write, isMinimal, problemLine } = steps;
  const totals = { lines: 0, succeeded: 0, failed: 0, repeated: 0 };
  let hasBegun = false;
  const tell = (chunk: ImportChunk, answer: Answer): string => {
    hasBegun = true;
    const succeeded = countSucceeded(answer.body);
    totals.lines += chunk.lines.length;
    totals.succeeded += succeeded;
    totals.failed += chunk.lines.length - succeeded;
    if (answer.isRepeated === true) totals.repeated += chunk.lines.length;
    if (!isMinimal) return answer.body;
    const done = chunk.lines.at(-1)?.number;
    return withoutSucceeded(answer.body) + line({ done, ...totals });
  };
  const iterator = chunks[Symbol.asyncIterator]();
  const readNext = async (): Promise<Ready<Prepared> | undefined> => {
    const read = await iterator.next();
    return read.done === true
      ? undefined
      : { chunk: read.value, prepared: await prepare(read.value) };
  };
  try {
    let next = readNext();
    for (let ready = await next; ready !== undefined; ready = await next) {
      const { chunk, prepared } = ready;
      const writing = write(chunk, prepared);
      next = readNext();
      // What was written is told before anybody hears that nothing can be read any more.
      next.catch(() => undefined);
      yield tell(chunk, await writing);
    }
  } catch (error) {
    if (!hasBegun) throw error;
    yield problemLine(error);
    return;
  }
  yield line({ end: totals });
}

interface Ready<Prepared> {
  readonly chunk: ImportChunk;
  readonly prepared: Prepared;
}

/** An outcome begins so; the text of a problem cannot, since its quotes are escaped. */
const succeededLine = /^\{"line":\d+,"status":2.*\n/gm;

function countSucceeded(lines: string): number {
  return lines.match(succeededLine)?.length ?? 0;
}

function withoutSucceeded(lines: string): string {
  return lines.replace(succeededLine, '');
}

const line = (value: unknown): string => `${stringifyJson(value)}\n`;

/** Errors that mean: nothing was written, since others use what is needed. A stream waits, since it keeps nothing of it meanwhile. */
export function isWorthWaiting(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'OVERLOADED';
}
