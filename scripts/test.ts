import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { runStep } from './run-step.ts';

/**
 * `npm test`: every suite, one after the other, each with what it needs. A missing prerequisite is an error with its remedy;
 * a suite is left out only by name (`npm test -- --without docker`). Ends with the line `N passed, N failed`.
 */
const help = `Usage: npm test -- [--only NAME ...] [--without NAME ...]
Suites: check, unit, unit-node24, pg, kafka, system, docker`;

interface Suite {
  readonly name: string;
  /** What must be there, as a sentence with the remedy, or undefined if it is. */
  readonly lacks?: () => string | undefined;
  readonly run: (report: string) => readonly [string, ...string[]];
  readonly env?: Record<string, string>;
}

function answers(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

const lacksPostgres15 = () =>
  existsSync('/usr/lib/postgresql/15/bin/postgres')
    ? undefined
    : 'PostgreSQL 15 is not installed: apt-get install postgresql-15';
const lacksPgBouncer = () =>
  existsSync('/usr/sbin/pgbouncer')
    ? undefined
    : 'PgBouncer is not installed: apt-get install pgbouncer';
const lacksKafka = () =>
  !answers('java', '-version')
    ? 'Java is not installed: install a JDK or JRE of version 17 or later (apt-get install openjdk-17-jre-headless)'
    : answers('mvn', '-v')
      ? undefined
      : 'Maven is not installed: apt-get install maven (it fetches the Kafka jars once)';
/** Programs of others that read our topics in test/outsiders/. */
const lacksOutsiders = () =>
  !answers('kcat', '-V')
    ? 'kcat is not installed: apt-get install kcat'
    : answers('python3', '-c', 'import ensurepip, venv')
      ? undefined
      : 'Python 3 with its module venv is not installed: apt-get install python3-venv';
const lacksDocker = () =>
  answers('docker', 'info')
    ? undefined
    : 'no Docker engine answers: start one, or leave the suite out with --without docker';

/** Runs projects of vitest.config.ts. */
const vitest =
  (...projects: readonly string[]) =>
  (report: string): readonly [string, ...string[]] => [
    'npx',
    'vitest',
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    '--reporter',
    'default',
    '--reporter',
    'json',
    '--outputFile.json',
    report,
  ];

const suites: readonly Suite[] = [
  { name: 'unit', run: vitest('unit') },
  {
    // A schedule of the simulation is the same on every Node: this has to run the code, and repeats no more of them than `npm run check`.
    name: 'unit-node24',
    env: { SIMULATION_SCHEDULES: process.env['SIMULATION_SCHEDULES'] ?? '150' },
    run: (report) => [
      'npx',
      '-y',
      '-p',
      'node@24',
      'node',
      'node_modules/vitest/vitest.mjs',
      ...vitest('unit')(report).slice(2),
    ],
  },
  { name: 'pg', run: vitest('pg'), lacks: () => lacksPostgres15() ?? lacksPgBouncer() },
  { name: 'kafka', run: vitest('kafka', 'kafka-alone'), lacks: lacksKafka },
  {
    name: 'system',
    run: vitest('system', 'system-alone'),
    lacks: () => lacksPostgres15() ?? lacksKafka() ?? lacksOutsiders(),
  },
  { name: 'docker', run: vitest('docker'), lacks: lacksDocker },
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    without: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const names = new Set(['check', ...suites.map(({ name }) => name)]);
const unknown = [...values.only, ...values.without].filter((name) => !names.has(name));
if (unknown.length > 0) {
  console.error(`no suite is called ${unknown.join(', ')}\n${help}`);
  process.exit(2);
}
const isWanted = (name: string) =>
  (values.only.length === 0 || values.only.includes(name)) && !values.without.includes(name);

const missing = suites.filter(({ name }) => isWanted(name)).flatMap(({ lacks }) => lacks?.() ?? []);
if (missing.length > 0) {
  console.error(
    `Before the tests can run:\n${[...new Set(missing)].map((sentence) => `- ${sentence}`).join('\n')}`,
  );
  process.exit(1);
}

const reports = 'node_modules/.cache/test-reports';
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
const startedMs = performance.now();
let passed = 0;
let failed = 0;
const rows: string[] = [];
/** Named again at the end, where a reader of a long log looks first. */
const failures: string[] = [];

for (const [name, command] of [
  ['build', ['npm', 'run', '--silent', 'build']],
  ['check', ['npm', 'run', '--silent', 'check', '--', '--static']],
] as const) {
  if (name === 'check' && !isWanted('check')) continue;
  const result = await runStep(name, command, { echo: true });
  rows.push(
    `${name.padEnd(12)} ${result.code === 0 ? 'ok' : 'failed'} (${(result.durationMs / 1000).toFixed(0)} s)`,
  );
  if (result.code !== 0) {
    failed += 1;
    failures.push(`${name}: ${result.output.trim().split('\n').slice(-20).join('\n')}`);
  }
}

for (const suite of suites.filter(({ name }) => isWanted(name))) {
  console.log(`\n━━ ${suite.name} ━━`);
  const report = `${reports}/${suite.name}.json`;
  const result = await runStep(suite.name, suite.run(report), { env: suite.env ?? {}, echo: true });
  const counts = readCounts(report);
  failures.push(...counts.failures.map((failure) => `${suite.name}: ${failure}`));
  passed += counts.passed;
  // A suite that ended badly without a failing test (a crash, an unhandled error, no test at all) is a failure all the same.
  const isBroken = (result.code !== 0 || counts.passed === 0) && counts.failed === 0;
  if (isBroken)
    failures.push(`${suite.name}: ended with code ${result.code} (see its output above)`);
  const failedHere = counts.failed + (isBroken ? 1 : 0);
  failed += failedHere;
  rows.push(
    `${suite.name.padEnd(12)} ${counts.passed} passed, ${failedHere} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''} (${(result.durationMs / 1000).toFixed(0)} s)`,
  );
}

if (failures.length > 0) console.log(`\n━━ failed ━━\n${failures.join('\n\n')}`);
console.log(
  `\n${rows.join('\n')}\nin all ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n\n${passed} passed, ${failed} failed`,
);
process.exitCode = failed > 0 ? 1 : 0;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** File, name and the beginning of the message of each. */
  readonly failures: readonly string[];
}

interface VitestReport {
  readonly numPassedTests?: number;
  readonly numFailedTests?: number;
  readonly numPendingTests?: number;
  readonly testResults?: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

function readCounts(report: string): Counts {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0, failures: [] };
  const read = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  const beginning = (text: string) => text.split('\n').slice(0, 12).join('\n  ').slice(0, 2_000);
  return {
    passed: read.numPassedTests ?? 0,
    failed: read.numFailedTests ?? 0,
    skipped: read.numPendingTests ?? 0,
    failures: (read.testResults ?? []).flatMap(({ name, status, message, assertionResults }) => {
      const file = relative(process.cwd(), name);
      const tests = assertionResults
        .filter((test) => test.status === 'failed')
        .map(
          (test) =>
            `${file} › ${test.fullName}\n  ${beginning((test.failureMessages ?? []).join('\n'))}`,
        );
      // A file that could not be loaded, or whose set-up failed, has no failed test to show.
      return tests.length > 0 || status !== 'failed'
        ? tests
        : [`${file}\n  ${beginning(message ?? '')}`];
    }),
  };
}
