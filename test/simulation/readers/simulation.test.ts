import { expect, it } from 'vitest';
import { runReadersSchedule, type ReadersResult } from './readers-schedule.ts';

const count = Number(process.env['SIMULATION_SCHEDULES'] ?? 200);
const base = process.env['SIMULATION_SEED'] ?? 'readers';
const only = process.env['SIMULATION_ONLY'];

/** With what to see one schedule again, and what happened in it. */
async function retold({ seed, failures }: ReadersResult): Promise<string> {
  const again = await runReadersSchedule(seed, { isTraced: true });
  const isSame = JSON.stringify(again.failures) === JSON.stringify(failures);
  return [
    ...again.trace,
    `schedule ${seed} broke a rule:`,
    ...failures.slice(0, 20).map((failure) => `  ${failure}`),
    isSame
      ? 'The same schedule again gave the same failures.'
      : 'THE SAME SCHEDULE AGAIN GAVE OTHERS: something does not depend on the seed alone.',
    `To see it again: SIMULATION_ONLY='${seed}' npx vitest run --project unit test/simulation/readers/simulation.test.ts`,
  ].join('\n');
}

it(
  'loses, doubles at a time and disorders nothing in any schedule of faults',
  { timeout: 3_600_000 },
  async () => {
    const seeds = only
      ? [only]
      : Array.from({ length: count }, (_, index) => `${base}-${index + 1}`);
    console.log(`readers: ${seeds.length} schedules from seed "${only ?? base}"`);
    const sum = {
      faults: 0,
      events: 0,
      handled: 0,
      deadLetters: 0,
      repeated: 0,
      virtualMs: 0,
      steps: 0,
    };
    const { stackTraceLimit } = Error;
    // Most schedules make hundreds of errors that nobody reads.
    Error.stackTraceLimit = only ? stackTraceLimit : 0;
    const startedMs = performance.now();
    try {
      for (const seed of seeds) {
        const result = await runReadersSchedule(seed, { isTraced: only !== undefined });
        if (only) console.log(result.trace.join('\n'));
        if (result.failures.length > 0) {
          Error.stackTraceLimit = stackTraceLimit;
          expect.fail(await retold(result));
        }
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += result[name];
      }
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
    const minutes = (performance.now() - startedMs) / 60_000;
    console.log(
      `readers: ${Math.round(seeds.length / minutes)} schedules a minute, ${sum.faults} faults, ${sum.events} events, ` +
        `${sum.handled} handled, ${sum.repeated} of them again, ${sum.deadLetters} dead letters, ${(sum.virtualMs / 3_600_000).toFixed(1)} virtual hours, ${sum.steps} steps`,
    );
    // A simulation that breaks nothing or reads nothing would prove nothing.
    if (!only) {
      expect(sum.faults).toBeGreaterThan(3 * seeds.length);
      expect(sum.handled).toBeGreaterThan(30 * seeds.length);
    }
  },
);

it('gives the same history for the same seed', async () => {
  for (let round = 1; round <= 5; round += 1) {
    const seed = `${base}-twice-${round}`;
    const one = await runReadersSchedule(seed, { isTraced: true });
    const two = await runReadersSchedule(seed, { isTraced: true });
    expect(one.trace.length).toBeGreaterThan(10);
    expect(two).toEqual(one);
  }
});
