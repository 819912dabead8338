import { expect, test } from 'vitest';
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
  restarts: [{ phase: 'with', fromMs: 1_000, toMs: 2_000 }],
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
const missed = (other: Partial<JudgingRun>) => {
  const { lines, isSound } = judgingVerdicts({ ...run, ...other });
  return { missed: lines.filter((line) => line.startsWith('NOT MET')), isSound };
};
const trouble = (kind: Trouble['kind'], atMs: number): Told => ({
  ...honest,
  troubles: [{ kind, atMs, phase: 'with', what: 'GET /products: 503' }],
});

test('a run that keeps every bound says so, and its table compares the halves', () => {
  expect(missed({})).toEqual({ missed: [], isSound: true });
  const table = judgingTable(run);
  expect(table).toContain('| read | 2 | 10.0 | 10.0 | 2 | 15.0 | 15.0 | 1.50 |');
  expect(table).toContain('honest answers with hostile callers: 200 × 2, closed idle × 1');
});

test('a p99 of twice that without hostile callers is not met, and no reason to fail', () => {
  const slow = { ...honest, latencies: { ...honest.latencies, 'with: read': [20, 20] } };
  const { missed: lines, isSound } = missed({ honest: slow });
  expect(lines).toHaveLength(1);
  expect(isSound).toBe(true);
});

test('a 5xx in a restart and a request without an answer are not met, a 5xx outside of one is told', () => {
  expect(missed({ honest: trouble('no answer', 0) })).toMatchObject({
    isSound: true,
    missed: [expect.any(String)],
  });
  expect(missed({ honest: trouble('5xx', 1_500) }).missed).toHaveLength(1);
  const outside = judgingVerdicts({ ...run, honest: trouble('5xx', 5_000) });
  expect(outside.lines.at(-1)).toContain('outside of restarts: 1');
});

test('a wrong or broken answer, a lost event and a process that failed are unsound', () => {
  const counts = new Map([['done without an event', 1]] as const);
  const [api] = run.processes;
  if (api === undefined) throw new Error('there is one');
  for (const other of [
    { honest: trouble('wrong', 0) },
    { honest: trouble('broken', 0) },
    { answers: { counts, examples: [] } },
    { judgement: { ...run.judgement, lost: 1 } },
    { processes: [{ ...api, hasFailed: true }] },
  ])
    expect(missed(other)).toMatchObject({ isSound: false, missed: [expect.any(String)] });
});
