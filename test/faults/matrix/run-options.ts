import { parseArgs } from 'node:util';

/** What `npm run faults -- --help` prints. */
export const help = `Usage: npm run faults -- [options]
The fault matrix on real Postgres and Kafka: each row does its fault, proves that it bit and judges the promises. Ends with 1 if one was broken.
  --rows 1,5,9-12   which rows (default: all that are built)
  --seeds N         rounds of each row, each with the next seed (default: what the row says)
  --seed S          the first seed (default: the clock)
  --json FILE       appends the result of each row as a line of JSON
  --write-table     keeps the results in test/faults/matrix/runs/ and writes the table of docs/reliability.md from all that are there
  --help            prints this`;

/** What a run was asked for. */
export interface RunOptions {
  /** undefined: all. */
  readonly rows: ReadonlySet<number> | undefined;
  /** undefined: what each row says. */
  readonly seeds: number | undefined;
  /** undefined: the clock. */
  readonly seed: number | undefined;
  readonly json: string | undefined;
  readonly writesTable: boolean;
  readonly isHelp: boolean;
}

/** Reads the arguments. @throws Error with what is wrong with them, in one line. */
export function runOptions(args: readonly string[]): RunOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string' },
      seeds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
      'write-table': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    rows: values.rows === undefined ? undefined : rowNumbers(values.rows),
    seeds: values.seeds === undefined ? undefined : wholeNumber('seeds', values.seeds, 1),
    seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed, 0),
    json: values.json,
    writesTable: values['write-table'],
    isHelp: values.help,
  };
}

/** `1,5,9-12` as a set. @throws Error naming what is no row. */
function rowNumbers(text: string): ReadonlySet<number> {
  const numbers = text.split(',').flatMap((part) => {
    const [, first, last] = /^(\d{1,2})(?:-(\d{1,2}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last ?? first)];
    if (!(from >= 1 && to <= 45 && from <= to))
      throw new Error(`--rows ${text}: "${part}" is not a row from 1 to 45, or a range of them`);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return new Set(numbers);
}

/** @throws Error if the text of the option is no whole number from `least` on. */
export function wholeNumber(option: string, text: string, least: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (!(number >= least))
    throw new Error(`--${option} ${text} is not a whole number from ${least} on`);
  return number;
}
