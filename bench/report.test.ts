import { describe, expect, it } from 'vitest';
import type { DrainRound, RelayDrain } from './drain.ts';
import { floorLine, floors, isMet } from './floors.ts';
import { report } from './report.ts';
import type { BenchResult } from './result.ts';

const clean = {
  committed: 1000,
  records: 2000,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  altered: 0,
  other: [],
};
const relay = (eventsPerSecond: number, peakResidentBytes: number): RelayDrain => ({
  usage: {
    relay: { peakResidentBytes, cpuSeconds: 2 },
    walsenderCpuSeconds: 1,
    brokerCpuSeconds: 0.5,
  },
  judgement: clean,
  eventsPerSecond,
  recordsPerSecond: eventsPerSecond * 2,
  startSeconds: 0.5,
  wallSeconds: 5,
  stolenCores: 0,
  otherCores: 0,
});
const round = (walsender: number, rate: number, peakMb: number): DrainRound => ({
  walsender: {
    bytes: 1,
    messages: 3000,
    inserts: 1000,
    commits: 1000,
    seconds: 1,
    eventsPerSecond: walsender,
    bytesPerSecond: 1,
  },
  relay: relay(rate, peakMb * 1024 * 1024),
  oneRoute: relay(rate * 1.5, 1),
});
const result: BenchResult = {
  startedAt: '2026-01-01T00:00:00Z',
  machine: {
    cores: 2,
    cpuModel: 'a processor',
    memoryGiB: 8,
    kernel: '6',
    node: 'v20',
    java: '17',
    commit: 'abc',
  },
  versions: { postgres: '18', kafka: '4' },
  payloadBytes: 200,
  drainEvents: 100_000,
  loadPerCoreAtStart: 0.1,
  drain: [round(100, 30, 100), round(50, 25, 255), round(200, 100, 90)],
};

describe('the floors', () => {
  it('take the share of the walsender within each run, and the worst memory of all', () => {
    const [share, memory] = floors(result);
    expect(share?.measured).toBe(0.5);
    expect(memory?.measured).toBe(255);
    expect(floors(result)).toHaveLength(2);
    expect(floors(result).every(isMet)).toBe(true);
  });

  it('say which of them is not met', () => {
    const floor = {
      name: 'p99',
      side: 'below',
      bound: 20,
      measured: 20.04,
      unit: 'ms',
    } as const;
    expect(isMet(floor)).toBe(false);
    expect(floorLine(floor)).toBe('NOT MET  p99: 20 ms (below 20 ms)');
    expect(floorLine({ ...floor, measured: 9.876 })).toBe('met      p99: 9.88 ms (below 20 ms)');
  });
});

describe('the report', () => {
  it('shows medians with their extremes, and each run in the table of the checker', () => {
    const text = report(result);
    expect(text).toContain(
      '| relay, two topics (as declared) | 30 (25–100) | 60 (50–200) | 0.50 (0.30–0.50) |',
    );
    expect(text.match(/^\| drain \d, /gm)).toHaveLength(6);
    expect(text).not.toContain('not quiet');
  });

  it('says so when the machine was busy with something else', () => {
    expect(report({ ...result, loadPerCoreAtStart: 4 })).toContain('**The machine was not quiet**');
  });
});
