import { createInterface } from 'node:readline/promises';
import { CliError, exitCodes } from '../exit-codes.ts';

/**
 * Lets a verb that changes something go on only if its user wants it: `--yes`, or a typed "yes" at a terminal. The preview has to be shown before.
 * @throws CliError NOT_CONFIRMED, with exit code 4: nothing was done.
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
  try {
    const answer = await lines.question(`${question} Type "yes": `, { signal: options.signal });
    if (answer.trim() !== 'yes') return refuse('nothing was done: the answer was not "yes"');
  } finally {
    lines.close();
  }
}
