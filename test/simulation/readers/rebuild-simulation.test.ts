import { expect, it } from 'vitest';
import { runRebuildSchedule } from './rebuild-schedule.ts';

const count = Number(process.env['SIMULATION_SCHEDULES'] ?? 100);
const base = process.env['SIMULATION_SEED'] ?? 'rebuild';
const only = process.env['SIMULATION_ONLY'];

it(
  'is caught up only with what the topic holds, in any schedule of faults',
  { timeout: 3_600_000 },
  async () => {
    const seeds = only
      ? [only]
      : Array.from({ length: count }, (_, index) => `${base}-${index + 1}`);
    const sum = { faults: 0, events: 0, caughtUp: 0 };
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = only ? stackTraceLimit : 0;
    const startedMs = performance.now();
    try {
      for (const seed of seeds) {
        const result = await runRebuildSchedule(seed, { isTraced: only !== undefined });
        if (only) console.log(result.trace.join('\n'));
        if (result.failures.length > 0) {
          Error.stackTraceLimit = stackTraceLimit;
          const { trace, failures } = await runRebuildSchedule(seed, { isTraced: true });
          expect.fail(
            [
              ...trace,
              `schedule ${seed} broke a rule:`,
              ...failures.slice(0, 20),
              `To see it again: SIMULATION_ONLY='${seed}' npx vitest run --project unit test/simulation/readers/rebuild-simulation.test.ts`,
            ].join('\n'),
          );
        }
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += result[name];
      }
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
    const minutes = (performance.now() - startedMs) / 60_000;
    console.log(
      `rebuilds: ${Math.round(seeds.length / minutes)} schedules a minute, ${sum.faults} faults, ${sum.events} events, ${sum.caughtUp} times caught up`,
    );
    if (!only) expect(sum.caughtUp).toBeGreaterThanOrEqual(seeds.length);
  },
);

it('does not call the end of a partition reached that was added meanwhile', async () => {
  // Schedules in which one is added while it is on its way to the ends, and has records before they are reached.
  for (const seed of ['adv2-50', 'adv2b-795', 'adv2b-1178', 'adv2b-1884'])
    expect((await runRebuildSchedule(seed)).failures).toEqual([]);
});

it('gives the same history for the same seed', async () => {
  for (let round = 1; round <= 3; round += 1) {
    const one = await runRebuildSchedule(`${base}-twice-${round}`, { isTraced: true });
    const two = await runRebuildSchedule(`${base}-twice-${round}`, { isTraced: true });
    expect(one.trace.length).toBeGreaterThan(10);
    expect(two).toEqual(one);
  }
});
