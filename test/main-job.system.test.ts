import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'outbound-main-job-'));
});
afterAll(async () => rm(dataDir, { recursive: true, force: true }));

/** Runs a command of the demo on the test's own data to its end. */
async function run(script: string, ...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', `demo/${script}`, ...args], {
    env: { ...process.env, OUTBOUND_DATA_DIR: dataDir, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, output };
}

const proven = /missing 0, stale 0, ghosts 0, out of order 0, altered 0/;

test('the main job ends with the proof, a second run uses its data again, and reset removes it', async () => {
  const first = await run('start.ts', '--once');
  expect(first.output).toMatch(/2,004 products created, 0 were there already/);
  expect(first.output).toMatch(/first event/);
  expect(first.output).toMatch(
    /proof: 2,004 rows = 2,004 keys; ([\d,]+) versions = \1 on the change topic; /,
  );
  expect(first.output).toMatch(proven);
  expect(first.code).toBe(0);

  const second = await run('start.ts', '--once');
  expect(second.output).toMatch(/0 products created, 2,004 were there already/);
  expect(second.output).toMatch(proven);
  expect(second.code).toBe(0);

  const reset = await run('reset.ts');
  expect(reset.output).toContain('is removed');
  expect(reset.code).toBe(0);
});

test('a flag that is not known is answered with the usage and exit code 2', async () => {
  const { code, output } = await run('start.ts', '--onec');
  expect(output).toContain("Unknown option '--onec'");
  expect(output).toContain('Usage: npm start');
  expect(code).toBe(2);
});
