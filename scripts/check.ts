import { runStep } from './run-step.ts';

/**
 * `npm run check`: what has to be clean before every commit; short, so that nobody leaves it out. The simulation runs with fewer schedules
 * here than in `npm test`. `--static` leaves the tests to whoever runs them all anyway, and lints every file anew: the cache goes by a
 * file's own content, and a function that becomes asynchronous changes the verdict on callers that did not change.
 */
const isStatic = process.argv.includes('--static');
const steps = [
  runStep('format', ['npx', 'prettier', '--check', '--cache', '--log-level', 'warn', '.']),
  runStep('lint', isStatic ? ['npx', 'eslint', '.'] : ['npm', 'run', '--silent', 'lint']),
  runStep('types', ['npx', 'tsc']),
  ...(isStatic
    ? []
    : [
        runStep(
          'unit',
          [
            'npx',
            'vitest',
            'run',
            '--project',
            'unit',
            '--reporter',
            'dot',
            '--silent',
            'passed-only',
            '--no-color',
          ],
          { env: { SIMULATION_SCHEDULES: process.env['SIMULATION_SCHEDULES'] ?? '150' } },
        ),
      ]),
];

const results = await Promise.all(steps);
for (const { name, code, durationMs, output } of results) {
  if (code !== 0) console.log(`\n── ${name} ──\n${output.trimEnd()}`);
  console.log(`${code === 0 ? '✓' : '✗'} ${name} (${(durationMs / 1000).toFixed(1)} s)`);
}
process.exitCode = results.some(({ code }) => code !== 0) ? 1 : 0;
