import { expect, test } from 'vitest';
import { problemOf } from './told.ts';
import { judgingTable, judgingVerdicts, type JudgingRun } from './judging-report.ts';
import type { Told, Trouble } from './told.ts';

const honest: Told = {
  writes: [],
  shown: [],
  latencies: {
    'warm-up: read': [900],
    'without: read': [10, 10],
    'without: autocannon reads': [5],
    'with: read': [15, 15],
    'with: autocannon reads': [6],
  },
  statuses: { 'without: 200': 2, 'with: 200': 2, 'with: closed idle': 1 },
  troubles: [],
};
const run: JudgingRun = {
  honest,
  hostile: { ...honest, latencies: {} },
  restarts: [
    {
      phase: 'with',
      fromMs: 1_000,
      toMs: 2_000,
      steps: [
        { what: 'a is asked to stop', atMs: 1_000 },
        { what: 'a is gone', atMs: 1_600 },
      ],
    },
  ],
  refused: 0,
  processes: [
    { name: 'a', peakBytes: 2 ** 27, longestBlock: { wallMs: 9, cpuMs: 7 }, hasFailed: false },
  ],
  answers: { counts: new Map(), examples: [] },
  judgement: {
    committed: 3,
    records: 6,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    altered: 0,
    other: [],
  },
};
const missed = (other: Partial<JudgingRun>): readonly string[] => {
  const { lines, hasPassed } = judgingVerdicts({ ...run, ...other });
  const found = lines.filter((line) => line.startsWith('NOT MET'));
  expect(hasPassed).toBe(found.length === 0);
  expect(lines.at(-1)).toMatch(hasPassed ? /^PASSED/ : /^FAILED: 1 of/);
  return found;
};
const trouble = (kind: Trouble['kind'], atMs: number): Told => ({
  ...honest,
  troubles: [{ kind, atMs, phase: 'with', what: 'GET /products: 503' }],
});

test('a run that keeps every bound says so, and its table compares the halves', () => {
  expect(missed({})).toEqual([]);
  const table = judgingTable(run);
  expect(table).toContain('| read | 2 | 10.0 | 10.0 | 2 | 15.0 | 15.0 | 1.50 |');
  expect(table).toContain('honest answers with hostile callers: 200 × 2, closed idle × 1');
});

test('each bound that is not met fails the run, and the verdict names it', () => {
  const slow = { ...honest, latencies: { ...honest.latencies, 'with: read': [20, 20] } };
  const counts = new Map([['done without an event', 1]] as const);
  const [api] = run.processes;
  if (api === undefined) throw new Error('there is one');
  for (const other of [
    { honest: slow },
    { honest: trouble('no answer', 0) },
    { honest: trouble('5xx', 1_500) },
    { honest: trouble('wrong', 0) },
    { honest: trouble('broken', 0) },
    { refused: 1 },
    { answers: { counts, examples: [] } },
    { judgement: { ...run.judgement, lost: 1 } },
    { processes: [{ ...api, hasFailed: true }] },
    { processes: [{ ...api, peakBytes: 2 ** 30 }] },
  ])
    expect(missed(other)).toHaveLength(1);
});

test('a 5xx outside of a restart is told', () => {
  const { lines, hasPassed } = judgingVerdicts({ ...run, honest: trouble('5xx', 5_000) });
  expect(lines).toContain('found    5xx to honest callers outside of restarts: 1');
  expect(hasPassed).toBe(true);
});

test('what honest callers met is told by kind and moment', () => {
  const problem = problemOf(503, '{"type":"/problems/overloaded","detail":"Too many wait. Try."}');
  expect(problem).toBe('503 overloaded: Too many wait');
  const of = (atMs: number): Trouble => ({ kind: '5xx', atMs, phase: 'with', what: '', problem });
  const troubles = [of(1_700), of(1_200), of(1_300), of(9_000)];
  const table = judgingTable({ ...run, honest: { ...honest, troubles } });
  expect(table).toContain(`| ${problem} | with, restart: a is asked to stop | 2 |
| ${problem} | with, restart: a is gone | 1 |
| ${problem} | with, outside of restarts | 1 |`);
  expect(problemOf(502, '<html>')).toBe('502, not a problem');
});
