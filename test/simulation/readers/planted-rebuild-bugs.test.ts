import { describe, expect, it } from 'vitest';
import { plantedRebuildBugs } from './planted-rebuild-bugs.ts';
import { runRebuildSchedule } from './rebuild-schedule.ts';

const limit = 200;

describe('the simulation finds', () => {
  it.each(plantedRebuildBugs)('a rebuild that $name', { timeout: 600_000 }, async (plant) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      for (let schedule = 1; schedule <= limit; schedule += 1) {
        const seed = `planted-${schedule}`;
        const { failures } = await runRebuildSchedule(seed, { plant });
        const found = failures.find((failure) => failure.startsWith('R7'));
        if (found) {
          console.log(`found by seed ${seed}: ${found}`);
          return;
        }
      }
      expect.fail(`${limit} schedules broke nothing`);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });
});
