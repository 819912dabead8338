import { CliError } from '../exit-codes.ts';
import type { ImportState } from './import-state.ts';

/** Faults of the file itself: a try again meets them again, and once they are mended it is another file. */
const ofTheFile: ReadonlySet<string> = new Set([
  'IMPORT_CSV_BROKEN',
  'IMPORT_EXPORT_CUT',
  'IMPORT_EXPORT_PART',
  'IMPORT_FILE_UNREADABLE',
  'IMPORT_NOT_UTF8',
]);

/** What to say beside the error of an import that stopped; undefined if it had not begun. */
export function stopNote(thrown: unknown, { nextChunk, line }: ImportState): string | undefined {
  if (nextChunk === 0) return undefined;
  const so = `stopped after line ${line}`;
  return thrown instanceof CliError && ofTheFile.has(String(thrown.code))
    ? `${so}; once the file is mended it is another one: start without --resume (rows that were created are refused then)`
    : `${so}; --resume goes on from there`;
}
