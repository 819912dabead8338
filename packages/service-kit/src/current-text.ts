import { readSettingFile } from './config.ts';

/**
 * The text of a setting as it is now. One that was given by file is read again at each call, so that whoever renews a secret only writes the file; while it cannot be read or is
 * empty, as in the midst of that, the last one that could be read holds.
 * @param initial what was read at the start
 * @param file where from, if from a file
 */
export function currentText(initial: string, file: string | undefined): () => string {
  if (file === undefined) return () => initial;
  let last = initial;
  return () => {
    try {
      last = readSettingFile(file) || last;
    } catch {
      // As it was.
    }
    return last;
  };
}
