import { open, mkdtemp, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runSeed, seededRandom } from '../../../../test/support/random.ts';
import { createMemoryStore } from './memory-store.ts';
import { StateLines } from './state-lines.ts';
import type { StateEntry } from './state-store.ts';

let folder: string;
let opened: FileHandle[];
beforeEach(async () => {
  opened = [];
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
});
afterEach(async () => {
  await Promise.all(opened.map((file) => file.close()));
  await rm(folder, { recursive: true });
});

async function workingFile(): Promise<FileHandle> {
  const file = await open(join(folder, `${opened.length}`), 'wx+');
  opened.push(file);
  return file;
}
const put = (key: string, version: number | undefined, value: string | undefined): StateEntry => ({
  ...{ key, version, partition: 0, offset: 0n },
  value: value === undefined ? undefined : Buffer.from(value),
});
async function textOf(lines: StateLines): Promise<string> {
  let text = '';
  for await (const bytes of lines.live()) text += bytes.toString();
  return text;
}
const sorted = (text: string) => text.split('\n').sort().join('\n');

describe('states as lines', () => {
  it('are those that a store in memory has, over many steps, deletions, and files that are written anew and read again', async () => {
    const random = seededRandom(runSeed('state-lines'));
    const memory = createMemoryStore();
    let lines = new StateLines(workingFile, 50);
    for (let step = 0; step < 300; step += 1) {
      const entries = new Map<string, StateEntry>();
      for (let n = Math.floor(random() * 20); n >= 0; n -= 1) {
        const key = `${['k', '"', 'ä\\', '\n'][n % 4]}${Math.floor(random() * 60)}`;
        const version = random() < 0.1 ? undefined : Math.floor(random() * step);
        const value = `{"v":${step},"t":"${'x'.repeat(random() < 0.002 ? 1_200_000 : n)}"}`;
        entries.set(key, put(key, version, random() < 0.3 ? undefined : value));
      }
      await lines.apply([...entries.values()]);
      await memory.applyBatch({ entries: [...entries.values()], positions: [] });
      expect(lines.size).toBe(memory.size);
      if (random() < 0.05) {
        const file = await workingFile();
        await file.writeFile('head\n');
        for await (const bytes of lines.live()) await file.writeFile(bytes);
        await lines.close();
        const { size } = await file.stat();
        lines = new StateLines(workingFile, 50);
        await lines.adopt(file, { from: 5, to: size });
      }
    }
    const expected = Array.from(
      memory.entries(),
      ([key, { version, value }]) =>
        `{"key":${JSON.stringify(key)},"version":${version ?? null},"value":${value.toString()}}\n`,
    );
    expect(sorted(await textOf(lines))).toBe(sorted(expected.join('')));
    await lines.close();
  });

  it('take no more of the disk than twice what counts and what is allowed', async () => {
    const lines = new StateLines(workingFile, 1000);
    const entries = Array.from({ length: 100 }, (_, n) => put(`k${n}`, undefined, '12345678'));
    let most = 0;
    for (let step = 0; step < 100; step += 1) {
      await lines.apply(entries);
      most = Math.max(most, (await opened.at(-1)?.stat())?.size ?? 0);
    }
    expect(opened.length).toBeGreaterThan(5);
    expect(most).toBeLessThan(1300 * 50);
    expect((await textOf(lines)).split('\n')).toHaveLength(101);
  });

  it.each([0, 1, 2])(
    'are what they were when a step finds no room on the disk, after %i writes of it',
    async (writes) => {
      let left = Infinity;
      const lines = new StateLines(async () => {
        const file = await workingFile();
        const write = file.write.bind(file) as (...args: unknown[]) => unknown;
        return Object.assign(file, {
          write: (...args: unknown[]) => {
            left -= 1;
            if (left >= 0) return write(...args);
            throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
          },
        });
      }, 3);
      await lines.apply([put('a', 1, '1'), put('b', 1, '1')]);
      const before = await textOf(lines);
      left = writes;
      const large = `"${'x'.repeat(1_100_000)}"`;
      const step = [
        put('a', 2, large),
        put('b', 2, undefined),
        put('c', 1, large),
        put('d', 1, '1'),
      ];
      await expect(lines.apply(step)).rejects.toThrow('ENOSPC');
      expect(await textOf(lines)).toBe(before);
      // There is room again: in the next step, and where it is all written anew.
      left = Infinity;
      await lines.apply([put('b', 3, '3')]);
      for (let version = 4; version < 20; version += 1) await lines.apply([put('b', version, '4')]);
      expect(await textOf(lines)).toBe(
        '{"key":"a","version":1,"value":1}\n{"key":"b","version":19,"value":4}\n',
      );
    },
  );
});
