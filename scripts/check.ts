import { runStep } from './run-step.ts';

/** `npm run check`: what has to be clean before every commit; under 30 s, so that nobody leaves it out. */
const steps = [
  runStep('format', ['npx', 'prettier', '--check', '--cache', '--log-level', 'warn', '.']),
  runStep('lint', ['npm', 'run', '--silent', 'lint']),
  runStep('types', ['npx', 'tsc']),
  runStep('unit', ['npx', 'vitest', 'run', '--project', 'unit', '--reporter', 'dot']),
];

const results = await Promise.all(steps);
for (const { name, code, durationMs, output } of results) {
  if (code !== 0) console.log(`\n── ${name} ──\n${output.trimEnd()}`);
  console.log(`${code === 0 ? '✓' : '✗'} ${name} (${(durationMs / 1000).toFixed(1)} s)`);
}
process.exitCode = results.some(({ code }) => code !== 0) ? 1 : 0;
