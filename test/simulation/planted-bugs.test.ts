import { describe, expect, it } from 'vitest';
import { plantedBugs } from './planted-bugs.ts';
import { runSchedule } from './schedule.ts';

const limit = 400;

describe('the simulation finds', () => {
  it.each(plantedBugs)('a relay that $name', { timeout: 120_000 }, async (bug) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      const others = new Set<string>();
      for (let schedule = 1; schedule <= limit; schedule += 1) {
        const about = bug.plot ? `${bug.plot}:` : '';
        const seed = `${about}planted-${schedule}`;
        const run = () => runSchedule(seed, { plant: bug });
        const { failures } = await (bug.within ? bug.within(run) : run());
        const found = failures.find((failure) =>
          bug.breaks.some((promise) => failure.startsWith(`${promise} `)),
        );
        if (found) {
          console.log(`found by seed ${seed}: ${found}`);
          return;
        }
        for (const failure of failures) others.add(failure.split(' ', 1).join());
      }
      expect.fail(
        `${limit} schedules broke none of ${bug.breaks.join(', ')}${others.size > 0 ? `, but ${[...others].join(', ')}` : ''}`,
      );
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  });
});
