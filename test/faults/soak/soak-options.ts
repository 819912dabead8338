import { parseArgs } from 'node:util';
import { wholeNumber } from '../matrix/run-options.ts';

/** What `npm run soak -- --help` prints. */
export const help = `Usage: npm run soak -- [options]
One pipeline on real Postgres and three real brokers, with two relays, writers and a subscriber, under faults in random order; then a rebuild, and the checker.
Ends with one line of figures, and with 1 if a promise was broken.
  --minutes N   how long faults go on (default 60)
  --seed S      chooses which faults, when and for how long (default: the clock)
  --json FILE   appends the figures as a line of JSON
  --help        prints this`;

/** What a soak was asked for. */
export interface SoakOptions {
  readonly minutes: number;
  /** undefined: the clock. */
  readonly seed: number | undefined;
  readonly json: string | undefined;
  readonly isHelp: boolean;
}

/** Reads the arguments. @throws Error with what is wrong with them, in one line. */
export function soakOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    minutes: wholeNumber('minutes', values.minutes, 1),
    seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed, 0),
    json: values.json,
    isHelp: values.help,
  };
}
