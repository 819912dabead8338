import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../test/support/eventually.ts';
import { runCommand, Service } from './service.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-service-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** A program to start as a service. */
async function program(text: string) {
  const entry = join(folder, 'program.cjs');
  await writeFile(entry, text);
  return {
    name: 'program',
    entry,
    env: { GREETING: 'hello' },
    logFile: join(folder, 'program.log'),
  };
}
/** Stays up until SIGTERM, then says so. */
const staying = `
  process.on('SIGTERM', () => {
    require('node:fs').writeFileSync(__filename + '.stopped', '');
    process.exit(0);
  });
  setInterval(() => {}, 1000);
  console.log(JSON.stringify({ message: 'listening', port: 1234, pid: process.pid, greeting: process.env.GREETING, home: process.env.HOME }));`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a service is waited for by its log, has only the environment it is given, and stops when asked', async () => {
  const launch = await program(staying);
  const service = new Service(launch);
  const line = await service.logged(({ message }) => message === 'listening');
  expect(line).toMatchObject({ port: 1234, greeting: 'hello' });
  expect(line).not.toHaveProperty('home');
  await service.stop();
  await service.stop();
  expect(await service.ended).toBe('exit code 0');
  await access(`${launch.entry}.stopped`);
  expect(await readFile(launch.logFile, 'utf8')).toContain('listening');
});

test('a service that does not stop in time is ended', async () => {
  const service = new Service(
    await program(
      `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('{"up":true}')`,
    ),
  );
  await service.logged(({ up }) => up === true);
  await service.stop(50);
  expect(await service.ended).toBe('SIGKILL');
});

test('waiting for a service that ends instead fails with the end of its log', async () => {
  const launch = await program(`console.error('no database'); process.exit(3)`);
  await expect(new Service(launch).logged(() => true)).rejects.toThrow(
    /program ended \(exit code 3\).*program\.log.*no database/s,
  );
  await expect(runCommand(launch)).rejects.toThrow(/exit code 3/);
});

test('a command gives its output', async () => {
  expect(await runCommand(await program(`console.log('two topics created')`))).toBe(
    'two topics created',
  );
});

test('a service does not outlive the process that started it, even when that is killed', async () => {
  const { entry, logFile } = await program(staying);
  const parent = join(folder, 'parent.mts');
  await writeFile(
    parent,
    `import { Service } from ${JSON.stringify(new URL('service.ts', import.meta.url).href)};
     const service = new Service({ name: 'program', entry: ${JSON.stringify(entry)}, env: {}, logFile: ${JSON.stringify(logFile)} });
     const { pid } = await service.logged(() => true);
     console.log(pid);`,
  );
  const child = spawn(process.execPath, ['--import', 'tsx', parent], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [
    Buffer,
  ];
  const pid = Number(chunk.toString());
  expect(isAlive(pid)).toBe(true);
  try {
    child.kill('SIGKILL');
    await eventually(() => !isAlive(pid), { timeoutMs: 10_000 });
    // Asked, and not only broken off: a service has things to finish.
    await access(`${entry}.stopped`);
  } finally {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});
