import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.ts';

const stateSchema = z.strictObject({
  /** Of this form. */
  format: z.literal(1),
  /** Where it comes from, as `apiAddress` writes it. */
  apiAddress: z.string(),
  /** `products` */
  what: z.string(),
  /** The filters and fields, as a query. */
  query: z.string(),
  isGzip: z.boolean(),
  /** Of the first snapshot: from there the topic goes on, whatever comes later. */
  position: z.string(),
  at: z.iso.datetime(),
  /** The last entity that is in the file; undefined before the first. */
  last: z.string().optional(),
  count: z.int().min(0),
  /** Length of the file: what was written beyond it comes again. */
  bytes: z.int().min(1),
});

/** How far an export into a file is. */
export type ExportState = Readonly<z.output<typeof stateSchema>>;

/** What has to be the same for a run to go on. */
export type ExportIdentity = Pick<ExportState, 'apiAddress' | 'what' | 'query' | 'isGzip'>;

/** Beside the file. */
export function statePath(file: string): string {
  return `${file}.export-state.json`;
}

/**
 * Where an export into a file stopped.
 * @throws CliError EXPORT_NOTHING_TO_RESUME; EXPORT_CHANGED if another API, or something else, was asked;
 * EXPORT_STATE_BROKEN
 */
export async function resumable(path: string, about: ExportIdentity): Promise<ExportState> {
  const refuse = (code: string, why: string, cause?: unknown) =>
    new CliError(code, why, { exitCode: exitCodes.usage, cause });
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw refuse(
      'EXPORT_NOTHING_TO_RESUME',
      `there is no unfinished export (${path}): run it without --resume`,
    );
  }
  let state: ExportState;
  try {
    state = stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw refuse(
      'EXPORT_STATE_BROKEN',
      `${path} cannot be read: remove it and start without --resume`,
      cause,
    );
  }
  for (const name of ['apiAddress', 'what', 'query', 'isGzip'] as const)
    if (state[name] !== about[name])
      throw refuse(
        'EXPORT_CHANGED',
        `the export that stopped had ${name} ${JSON.stringify(state[name])}, this one has ` +
          `${JSON.stringify(about[name])}: ask the same as then, or start without --resume`,
      );
  return state;
}
