import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Removes the one System V segment (56 bytes) that a killed postmaster leaves behind and that only its next start would remove.
 * The lock file names it: line 7 holds its key and its id. Source: Postgres, miscinit.h.
 */
export async function removeSharedMemory(dataDir: string): Promise<void> {
  const lockFile = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const id = lockFile.split('\n')[6]?.trim().split(/\s+/)[1];
  // Fails where the segment is gone already, which is what is wanted.
  if (id) await promisify(execFile)('ipcrm', ['-m', id]).catch(() => undefined);
}
