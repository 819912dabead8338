import { expect, it } from 'vitest';
import { runSchedule, type ScheduleResult } from './schedule.ts';

const count = Number(process.env['SIMULATION_SCHEDULES'] ?? 2000);
const base = process.env['SIMULATION_SEED'] ?? 'outbound';
const only = process.env['SIMULATION_ONLY'];

/** With what to see one schedule again, and what happened in it. */
async function retold({ seed, failures }: ScheduleResult): Promise<string> {
  const again = await runSchedule(seed, { isTraced: true });
  const isSame = JSON.stringify(again.failures) === JSON.stringify(failures);
  return [
    ...again.trace,
    `schedule ${seed} broke a promise:`,
    ...failures.map((failure) => `  ${failure}`),
    isSame
      ? 'The same schedule again gave the same failures.'
      : 'THE SAME SCHEDULE AGAIN GAVE OTHERS: something does not depend on the seed alone.',
    `To see it again: SIMULATION_ONLY='${seed}' npx vitest run --project unit test/simulation/simulation.test.ts`,
  ].join('\n');
}

it('keeps I1 to I9 and I11 in every schedule of faults', { timeout: 600_000 }, async () => {
  const seeds = only ? [only] : Array.from({ length: count }, (_, index) => `${base}-${index + 1}`);
  console.log(`simulation: ${seeds.length} schedules from seed "${only ?? base}"`);
  const sum = {
    bounded: 0,
    broughtBack: 0,
    faults: 0,
    events: 0,
    records: 0,
    duplicates: 0,
    redrives: 0,
    virtualMs: 0,
    steps: 0,
  };
  const { stackTraceLimit } = Error;
  // Most schedules make hundreds of errors that nobody reads; their stacks are a third of the time.
  Error.stackTraceLimit = only ? stackTraceLimit : 0;
  try {
    for (const seed of seeds) {
      const result = await runSchedule(seed, { isTraced: only !== undefined });
      if (only) console.log(result.trace.join('\n'));
      if (result.failures.length > 0) {
        Error.stackTraceLimit = stackTraceLimit;
        expect.fail(await retold(result));
      }
      sum.faults += result.faults;
      sum.broughtBack += result.broughtBack;
      if (Number.isFinite(result.allowedDuplicates)) sum.bounded += 1;
      sum.events += result.verdict.committed;
      sum.records += result.verdict.records;
      sum.redrives += result.redrives;
      sum.duplicates += result.verdict.duplicates;
      sum.virtualMs += result.virtualMs;
      sum.steps += result.steps;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  console.log(
    `simulation: ${sum.faults} faults, ${sum.broughtBack} copies brought back, ${sum.redrives} redrives, ${sum.events} events, ${sum.records} records, ${sum.duplicates} duplicates (I7 judged in ${sum.bounded} schedules), ` +
      `${Math.round(sum.virtualMs / 3_600_000)} virtual hours, ${sum.steps} steps`,
  );
  // A simulation that breaks nothing or writes nothing would prove nothing.
  if (!only) {
    expect(sum.faults).toBeGreaterThan(seeds.length);
    expect(sum.broughtBack).toBeGreaterThan(seeds.length / 10);
    expect(sum.events).toBeGreaterThan(10 * seeds.length);
    // A third of the schedules have poison, and in those I7 is not judged.
    expect(sum.bounded).toBeGreaterThan(0.4 * seeds.length);
    expect(sum.redrives).toBeGreaterThan(seeds.length / 10);
  }
});

it('gives the same history for the same seed', async () => {
  for (let round = 1; round <= 5; round += 1) {
    const seed = `${base}-twice-${round}`;
    const one = await runSchedule(seed, { isTraced: true });
    const two = await runSchedule(seed, { isTraced: true });
    expect(one.trace.length).toBeGreaterThan(10);
    expect(two).toEqual(one);
  }
});
