import { expect, test } from 'vitest';
import { FindingsCollector, type Verdict } from './findings.ts';
import { VerifyMetrics } from './verify-metrics.ts';
import { durationMs, verifyRequest, type VerifyOptions } from './verify-options.ts';
import { verdictText, verdictToJson } from './verify-report.ts';
import { notPassed } from './watermark.ts';

const defaults = { metricsHost: '127.0.0.1', maxIds: '100', wait: '60s', rounds: '10' };
const request = (options: Partial<VerifyOptions> = {}, names: string[] = []) =>
  verifyRequest(names, { ...defaults, ...options });

test('without a name every aggregate is verified, with names these, each once', () => {
  expect(request().aggregates.map(({ name }) => name)).toEqual(['product', 'category']);
  expect(request({}, ['category', 'category']).aggregates).toHaveLength(1);
  expect(request({ every: '5m', metricsPort: '0' })).toMatchObject({
    everyMs: 300_000,
    metrics: { port: 0 },
    patienceMs: 60_000,
  });
});

test.each<[string, Partial<VerifyOptions>, string[]]>([
  ['"shoe"', {}, ['shoe']],
  ['--every', { every: '60' }, []],
  ['--every', { every: '1ms' }, []],
  ['--repair does not go with --every', { every: '60s', repair: true }, []],
  ['--metrics-port is for --every', { metricsPort: '9000' }, []],
  ['--metrics-port', { every: '60s', metricsPort: '70000' }, []],
  ['--max-ids', { maxIds: '-1' }, []],
  ['--rounds', { rounds: '1' }, []],
  ['--wait', { wait: '1d' }, []],
])('a wrong command line is refused with its reason: %s', (says, options, names) => {
  expect(() => request(options, names)).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringContaining(says) as string }),
  );
});

test('times are understood to the millisecond', () => {
  expect(['0s', '500ms', '60s', '5m', '2h'].map((text) => durationMs('--wait', text, 0))).toEqual([
    0, 500, 60_000, 300_000, 7_200_000,
  ]);
});

function verdict(found: FindingsCollector, more: Partial<Verdict> = {}): Verdict {
  return {
    aggregate: 'product',
    topic: 'catalog.product',
    state: 'differs',
    compared: 1234,
    rows: { live: 1000, deleted: 3 },
    findings: found.findings(),
    undecided: 0,
    undecidedWhy: undefined,
    behindBytes: undefined,
    candidates: 4,
    rounds: 2,
    durationMs: 1500,
    ...more,
  };
}

test('a person reads kinds, meanings and ids; a key of a stranger cannot move the cursor', () => {
  const found = new FindingsCollector(1);
  found.add('ghost', 'evil\u001b[2J');
  found.add('ghost', 'second');
  found.add('ghost', undefined);
  const text = verdictText(verdict(found));
  expect(text).toContain(
    'product: 3 DIFFERENCES: 1,234 entities compared (1,000 live rows, 3 deleted)',
  );
  expect(text).toContain('  ghost 3: a record without a row\n    "evil\\u001b[2J"\n    and 2 more');
  expect(text).not.toContain('\u001b');
});

test('a program reads counts of every kind, null for what is not known, and why', () => {
  const json = verdictToJson(
    verdict(new FindingsCollector(1), { state: 'undecided', undecided: 2, undecidedWhy: 'w' }),
  );
  expect(json).toMatchObject({
    state: 'undecided',
    missing: 0,
    misplaced: 0,
    undecided: 2,
    undecided_why: 'w',
    behind_bytes: null,
    ids: {},
  });
  expect(
    verdictText(verdict(new FindingsCollector(1), { state: 'undecided', undecided: 2 })),
  ).toContain('undecided, 2 entities');
});

test('a watermark that is not passed says why and what to do', () => {
  expect(notPassed('outbound', 60_000, undefined)).toMatchObject({
    behindBytes: undefined,
    why: expect.stringContaining('no replication slot "outbound"') as string,
  });
  expect(notPassed('s', 1000, { passed: false, active: false, behind: '7' })).toMatchObject({
    behindBytes: 7n,
    why: 'after 1 s the relay is still 7 bytes of log behind, and none is connected to the slot: see outbound status, then verify again',
  });
  expect(notPassed('s', 1000, { passed: null, active: true, behind: null })).toMatchObject({
    behindBytes: undefined,
    why: expect.stringContaining('an unknown distance') as string,
  });
});

test('after a run that failed, metrics show neither old numbers nor zeros', async () => {
  const metrics = new VerifyMetrics('1.2.3');
  const found = new FindingsCollector(1);
  found.add('stale', 'x');
  metrics.verified(verdict(found), 1_700_000_000_000);
  expect(await metrics.registry.metrics()).toContain(
    'outbound_verify_differences{aggregate="product",kind="stale"} 1',
  );
  metrics.failed();
  const after = await metrics.registry.metrics();
  expect(after).not.toMatch(/^outbound_verify_(differences|undecided|entities)\{/m);
  expect(after).toContain('outbound_verify_failures_total 1');
  expect(after).toContain(
    'outbound_verify_last_run_timestamp_seconds{aggregate="product"} 1700000000',
  );
});
