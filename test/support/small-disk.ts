import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of so many bytes, in memory, that can be filled to its last byte. Needs root, as every mount does. */
export class SmallDisk implements Disposable {
  readonly path: string;

  /** @throws Error if it cannot be mounted. */
  constructor(bytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'outbound-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', this.path], {
      stdio: 'pipe',
    });
  }

  get #ballast(): string {
    return join(this.path, 'ballast');
  }

  /** Takes what is free. @returns how many bytes that was. */
  fill(): number {
    const chunk = Buffer.alloc(64 * 1024);
    const file = openSync(this.#ballast, 'a');
    let filled = 0;
    try {
      for (let size = chunk.length; size > 0;)
        try {
          filled += writeSync(file, chunk, 0, size);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          size = Math.floor(size / 2);
        }
    } finally {
      closeSync(file);
    }
    return filled;
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path], { stdio: 'pipe' });
    rmSync(this.path, { recursive: true, force: true });
  }
}
