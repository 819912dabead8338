import { rename, readFile, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.ts';

const stateSchema = z.strictObject({
  /** Of this form. */
  format: z.literal(1),
  fileHash: z.string(),
  /** Where rows were sent to, as `apiAddress` writes it. */
  apiAddress: z.string(),
  /** Of everything that decides how rows are cut and sent. */
  optionsHash: z.string(),
  /** The next chunk; all before it are answered and their errors written. */
  nextChunk: z.int().min(0),
  /** Line where the last row that was answered begins. */
  line: z.int().min(0),
  rows: z.int().min(0),
  created: z.int().min(0),
  /**
   * Rows that the API had created before under the same key: an earlier run of this file, or a try whose answer was
   * lost.
   */
  createdBefore: z.int().min(0).default(0),
  refused: z.int().min(0),
  retries: z.int().min(0),
  /** Length of the error file: what was written beyond it belongs to rows that come again. */
  errorBytes: z.int().min(0),
});

/** How far an import is. */
export type ImportState = Readonly<z.output<typeof stateSchema>>;

/** Beside the input. */
export function statePath(file: string): string {
  return `${file}.import-state.json`;
}

/** What has to be the same for a run to go on. */
export type ImportIdentity = Pick<ImportState, 'fileHash' | 'apiAddress' | 'optionsHash'>;

/** Nothing is done yet. */
export function freshState(about: ImportIdentity): ImportState {
  return {
    format: 1,
    ...about,
    ...{ nextChunk: 0, line: 0, rows: 0, created: 0, createdBefore: 0 },
    ...{ refused: 0, retries: 0, errorBytes: 0 },
  };
}

/** The state that an earlier run left; undefined if there is none. @throws CliError IMPORT_STATE_BROKEN */
export async function readState(path: string): Promise<ImportState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw broken(path, error);
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (error) {
    throw broken(path, error);
  }
}

/** Over the old one in one step: a kill leaves the one or the other. */
export async function writeState(path: string, state: ImportState): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(state)}\n`);
  await rename(`${path}.new`, path);
}

export async function removeState(path: string): Promise<void> {
  await rm(path, { force: true });
}

/**
 * Where a resumed run goes on.
 * @throws CliError IMPORT_NOTHING_TO_RESUME, IMPORT_CHANGED if the file, the API or the options are others than those
 * of the run that stopped.
 */
export function resumable(
  state: ImportState | undefined,
  { fileHash, apiAddress, optionsHash }: ImportIdentity,
  path: string,
): ImportState {
  const refuse = (code: string, why: string) =>
    new CliError(code, why, { exitCode: exitCodes.usage });
  if (!state)
    throw refuse(
      'IMPORT_NOTHING_TO_RESUME',
      `there is no unfinished import (${path}): run it without --resume`,
    );
  if (state.fileHash !== fileHash)
    throw refuse(
      'IMPORT_CHANGED',
      `the file is another than when its import stopped after line ${state.line}: restore it, or start ` +
        'without --resume',
    );
  if (state.apiAddress !== apiAddress)
    throw refuse(
      'IMPORT_CHANGED',
      `this import began at the API ${state.apiAddress} and got to line ${state.line}; at ${apiAddress} those ` +
        `rows would be missing: say --api-url ${state.apiAddress}, or start without --resume, which creates ` +
        'nothing twice if both are the same API',
    );
  if (state.optionsHash !== optionsHash)
    throw refuse(
      'IMPORT_CHANGED',
      'the target, format, mapping, batch size or error file are others than when the import stopped: use ' +
        'those, or start without --resume',
    );
  return state;
}

function broken(path: string, cause: unknown): CliError {
  return new CliError(
    'IMPORT_STATE_BROKEN',
    `${path} cannot be read: remove it and start without --resume; nothing is created twice`,
    { exitCode: exitCodes.usage, cause },
  );
}
