import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiLoad } from '../../../support/api-load.ts';
import { eventually } from '../../../support/eventually.ts';
import { startTestStack, type TestStack } from '../../../support/test-stack.ts';
import type { FaultRow } from '../fault-row.ts';
import { judgeApi } from '../judge-api.ts';
import { judged } from '../judged.ts';
import { inFlightRecords, morePublished, underLoad, type Scene } from '../under-load.ts';

const mebibyte = 1024 * 1024;

/** A disk of 400 MB, and a file that takes what is free of it but so much. */
class SmallDisk implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'outbound-disk-'));

  constructor() {
    if (process.getuid?.() !== 0)
      throw new Error('row 13 mounts a small disk (tmpfs): run it as root');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', this.path]);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  fill(leaveBytes: number): void {
    const bytes = Math.max(1, this.freeBytes - leaveBytes);
    execFileSync('fallocate', ['-l', String(bytes), join(this.path, 'filler')]);
  }

  empty(): void {
    rmSync(join(this.path, 'filler'), { force: true });
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** How often the server wrote of a full disk. */
const complaints = ({ postgres }: TestStack): number =>
  readFileSync(postgres.logFile, 'utf8').split('No space left on device').length - 1;

/** No file of the server can grow any more: writers are refused, or it ends. */
async function full({ stack, pipeline }: Scene, disk: SmallDisk, api: ApiLoad): Promise<string> {
  disk.fill(mebibyte);
  await eventually(() => complaints(stack) > 0 && api.refused > 0, { timeoutMs: 120_000 });
  const seen = complaints(stack);
  disk.empty();
  await runningAgain(stack);
  await pipeline.reconnect();
  return `1 MiB was left: ${seen} lines of "No space left on device" from the server`;
}

/** A transaction that is decoded into spill files, for which there is no room; its own log has it. */
async function fullSpill({ stack, pipeline }: Scene, disk: SmallDisk): Promise<string> {
  disk.fill(24 * mebibyte);
  // Some 20 MiB of log, and as much of spill files. It may fail for want of room itself.
  await pipeline.sql
    .query(
      "begin; select write_event('spilled-' || n % 20, 'U', 500) from generate_series(1, 20000) n; commit",
    )
    .catch(() => undefined);
  await eventually(() => complaints(stack) > 0, { timeoutMs: 60_000 }).catch(() => undefined);
  const seen = complaints(stack);
  disk.empty();
  await runningAgain(stack);
  await pipeline.reconnect();
  if (seen === 0) throw new Error('the disk was never full for the server');
  return `a transaction of 20,000 rows could not be spilled or logged: ${seen} lines of "No space left on device" from the server`;
}

/** A server that ended for want of room is started, one that lives is left alone. */
async function runningAgain({ postgres }: TestStack): Promise<void> {
  await eventually(
    async () => {
      try {
        process.kill(postgres.pid, 0);
      } catch {
        await postgres.start();
      }
      return true;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );
}

export const row: FaultRow = {
  number: 13,
  fault:
    'the disk of Postgres is full under load, or while a big transaction is spilled by the decoder',
  expected: 'the API refuses and writes no half; the relay waits, and goes on when there is room',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    using disk = new SmallDisk();
    const dataDir = join(disk.path, 'data');
    mkdirSync(dataDir);
    await using stack = await startTestStack({
      postgres: {
        dataDir,
        settings: {
          max_wal_size: '64MB',
          min_wal_size: '32MB',
          shared_buffers: '16MB',
          logical_decoding_work_mem: '64kB',
        },
      },
    });
    return await underLoad(
      stack,
      { allowedDuplicates: 4 * inFlightRecords, healLimitMs: 120_000 },
      async (scene) => {
        const { url } = await scene.pipeline.startApi();
        const api = new ApiLoad(url, { name: `row-13-${round.seed}`, writers: 2 });
        await morePublished(scene.relay, round.chance.int(1, 300));
        const bit = await (round.seed % 2 === 1 ? full : fullSpill)(scene, disk, api);
        const before = api.created.length;
        const isBack = await eventually(() => api.created.length > before, {
          timeoutMs: 60_000,
        }).catch(() => false);
        await api.stop();
        return {
          bit,
          figures: { refused: api.refused },
          judged: [
            judged('I8', isBack && scene.relay.isRunning, 'API and relay go on when there is room'),
            await judgeApi(scene.pipeline, api),
          ],
        };
      },
    );
  },
};
