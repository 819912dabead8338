import { parseArgs } from 'node:util';

/** How `npm start` was asked to run. */
export interface Flags {
  /** Exit after the proof: 0 if it holds, 1 if not. */
  readonly once: boolean;
  /** The whole catalogue instead of the slice. */
  readonly all: boolean;
  readonly help: boolean;
}

/** Products of the slice, from the beginning of the catalogue. */
export const sliceSize = 2000;

/** What `--help` prints. */
export const usage = `Usage: npm start -- [--once] [--all]

Runs the whole pipeline on this machine: Postgres, Kafka, the catalog API and the relay; loads real products, plays real price
changes, and proves that what Kafka has is what the database has. Then it stays up until Ctrl-C.

  --once  end after the proof: exit code 0 if it holds, 1 if not
  --all   all 53,940 products instead of the first ${sliceSize.toLocaleString('en-US')}
  --help  this text

Data stays in .data (or OUTBOUND_DATA_DIR) and is used again by the next run; npm run reset removes it.
OUTBOUND_STACK=processes|containers says how Postgres and Kafka run; the default is processes where Java 17 is there.
Exit codes: 0 done, or stopped after the proof · 1 the proof does not hold, or something failed · 2 unknown flag · 130 stopped before the proof`;

/** The flags. @throws Error naming a flag that is not known. */
export function parseFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      once: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return values;
}
