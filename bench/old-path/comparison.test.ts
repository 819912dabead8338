import { expect, test } from 'vitest';
import { Chance } from '../../test/simulation/chance.ts';
import type { ViolationKind } from '../../test/history/violations.ts';
import { availability, comparisonTable, type PathResult } from './comparison.ts';
import { faultPlan } from './fault-plan.ts';

const outage = { fromMs: 1000, untilMs: 2000 };
const attempt = (startedMs: number, status: number | undefined) => ({
  startedMs,
  durationMs: 5,
  status,
});

test('availability counts what was begun while Kafka was down; 412 is an answer, 503 and silence are none', () => {
  const attempts = [
    attempt(999, undefined),
    attempt(1000, 200),
    attempt(1100, 412),
    attempt(1200, 503),
    attempt(1999, undefined),
    attempt(2000, 503),
  ];
  const load = { attempts, abandonedCount: 0 };
  expect(availability({ load, outage, restarts: [] })).toEqual({ count: 4, share: 0.5 });
  const nothing = { attempts: [], abandonedCount: 0 };
  expect(availability({ load: nothing, outage, restarts: [] })).toEqual({ count: 0, share: NaN });
});

test('availability leaves out what met a restart: begun in it, or still open when it came', () => {
  const attempts = [attempt(1097, undefined), attempt(1150, undefined), attempt(1300, 200)];
  const restarts = [{ fromMs: 1100, untilMs: 1200 }];
  expect(availability({ load: { attempts, abandonedCount: 0 }, outage, restarts })).toEqual({
    count: 1,
    share: 1,
  });
});

test('the table has a column for each path and never a share of nothing', () => {
  const result = (name: string, counts: [ViolationKind, number][]): PathResult => ({
    name,
    load: { attempts: [attempt(1, 200), attempt(2, 503)], abandonedCount: 1 },
    outage,
    restarts: [],
    verdict: {
      violations: [],
      counts: new Map(counts),
      committed: 1234,
      records: 2468,
      duplicates: 3,
    },
  });
  const table = comparisonTable([result('old', [['lost', 17]]), result('new', [])]);
  expect(table).toContain('| | old | new |');
  expect(table).toContain('| changes committed | 1,234 | 1,234 |');
  expect(table).toMatch(/\*\*lost\*\*.*\| 17 \| 0 \|/);
  expect(table).toMatch(/of them answered \| none begun \| none begun \|/);
  expect(table).toMatch(/failed requests.*\| 1 \| 1 \|/);
});

test('a plan depends on its seed alone, and its outage ends before the load does', () => {
  const plan = (seed: string) =>
    faultPlan(new Chance(seed), { durationMs: 60_000, killCount: 5, outageMs: 20_000 });
  expect(plan('7')).toEqual(plan('7'));
  expect(plan('7')).not.toEqual(plan('8'));
  for (let seed = 0; seed < 200; seed++) {
    const { killsMs, outageFromMs } = plan(String(seed));
    expect(killsMs).toEqual([...killsMs].sort((a, b) => a - b));
    expect(outageFromMs + 20_000).toBeLessThan(60_000);
  }
});

test('a load too short for its outage is refused', () => {
  expect(() =>
    faultPlan(new Chance('1'), { durationMs: 20_000, killCount: 1, outageMs: 20_000 }),
  ).toThrow('allow 32000');
});
