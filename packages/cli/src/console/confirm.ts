import { createInterface } from 'node:readline/promises';
import { CliError, exitCodes } from '../exit-codes.ts';

/**
 * Lets a verb that changes something go on only if its user wants it: `--yes`, or a typed "yes" at a terminal. The
 * preview has to be shown before.
 * @throws CliError NOT_CONFIRMED, with exit code 4, or INTERRUPTED with 130 for Ctrl-C at the question: nothing was
 * done.
 */
export async function confirm(
  question: string,
  options: {
    readonly yes: boolean;
    readonly input: NodeJS.ReadStream;
    readonly output: NodeJS.WritableStream;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  if (options.yes) return;
  const refuse = (why: string): never => {
    throw new CliError('NOT_CONFIRMED', why, { exitCode: exitCodes.notConfirmed });
  };
  if (options.input.isTTY !== true)
    return refuse('nothing was done: this changes something, so say --yes if you mean it');
  const lines = createInterface({ input: options.input, output: options.output });
  const closed = new AbortController();
  let isInterrupted = false;
  // A terminal that is asked gives Ctrl-C to the question and not to the process; Ctrl-D and a closed terminal end the
  // input without an answer.
  lines.on('SIGINT', () => {
    isInterrupted = true;
    closed.abort();
  });
  lines.on('close', () => closed.abort());
  try {
    const signal = AbortSignal.any([options.signal, closed.signal]);
    const answer = await lines.question(`${question} Type "yes": `, { signal });
    if (answer.trim() !== 'yes') return refuse('nothing was done: the answer was not "yes"');
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (isInterrupted || options.signal.aborted)
      throw new CliError('INTERRUPTED', 'nothing was done: it was interrupted at the question', {
        exitCode: exitCodes.interrupted,
        cause: error,
      });
    return refuse('nothing was done: there was no answer');
  } finally {
    lines.close();
  }
}
