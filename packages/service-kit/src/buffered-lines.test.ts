import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BufferedLines } from './buffered-lines.ts';

function gather() {
  const written: string[] = [];
  return { written, lines: new BufferedLines((text) => void written.push(text)) };
}

test('lines are written together, in their order', () => {
  const { written, lines } = gather();
  lines.add('a\n', false);
  lines.add('b\n', false);
  expect(written).toEqual([]);
  lines.flush();
  lines.flush();
  expect(written).toEqual(['a\nb\n']);
});

test('an urgent line takes those before it along at once', () => {
  const { written, lines } = gather();
  lines.add('a\n', false);
  lines.add('b\n', true);
  expect(written).toEqual(['a\nb\n']);
});

test('what waits has a bound', () => {
  const { written, lines } = gather();
  const line = `${'x'.repeat(1_023)}\n`;
  for (let count = 0; count < 64; count += 1) lines.add(line, false);
  expect(written).toEqual([line.repeat(64)]);
});

test('nothing waits for ever', async () => {
  const written = await new Promise<string>((resolve) =>
    new BufferedLines(resolve).add('a\n', false),
  );
  expect(written).toBe('a\n');
});

test.each([
  ['an exit', 'process.exit(3)', 3],
  ['an error that reaches nobody', 'void Promise.reject(new Error("lost"))', 70],
  ['an end by itself', '', 0],
])('no line is lost at %s', (_, ending, status) => {
  const kit = fileURLToPath(new URL('./index.ts', import.meta.url));
  const program = `import { createLogger, runUntilSignal } from ${JSON.stringify(kit)};
    const logger = createLogger({ service: 's', level: 'info', isBuffered: true });
    await runUntilSignal(async () => { logger.info('one'); logger.info('two'); ${ending}; await new Promise(setImmediate); }, { logger });`;
  const run = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  const messages = run.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { message: string }).message);
  expect(messages.slice(0, 2), run.stderr).toEqual(['one', 'two']);
  expect(run.status).toBe(status);
});
