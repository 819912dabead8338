import { renameSync, writeFileSync } from 'node:fs';

const ending = '.new';

/** Writes a file so that whoever reads it meanwhile has all of the old one or all of the new one: beside it, then under its name in one step. */
export function replaceFile(path: string, contents: Uint8Array): void {
  const beside = `${path}.${process.pid}${ending}`;
  writeFileSync(beside, contents);
  renameSync(beside, path);
}

/** Whether a name is that of a file that is being written, perhaps by another process: it is nobody else's to remove. */
export const isBeingWritten = (name: string): boolean => name.endsWith(ending);
