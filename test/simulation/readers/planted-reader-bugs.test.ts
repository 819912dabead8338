import { describe, expect, it } from 'vitest';
import { plantedFeatureBugs } from './planted-feature-bugs.ts';
import { plantedReaderBugs } from './planted-reader-bugs.ts';
import { runReadersSchedule } from './readers-schedule.ts';

const limit = 200;

describe('the simulation finds', () => {
  it.each([...plantedReaderBugs, ...plantedFeatureBugs])(
    'a reader that $name',
    { timeout: 600_000 },
    async (bug) => {
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 0;
      try {
        const others = new Set<string>();
        for (let schedule = 1; schedule <= limit; schedule += 1) {
          const seed = `planted-${schedule}`;
          const { failures } = await runReadersSchedule(seed, { plant: bug });
          const found = failures.find((failure) =>
            bug.breaks.some((rule) => failure.startsWith(rule)),
          );
          if (found) {
            console.log(`found by seed ${seed}: ${found}`);
            return;
          }
          for (const failure of failures) others.add(failure.slice(0, 2));
        }
        expect.fail(
          `${limit} schedules broke none of ${bug.breaks.join(', ')}${others.size > 0 ? `, but ${[...others].join(', ')}` : ''}`,
        );
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
    },
  );
});
