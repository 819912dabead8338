import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { zombieRounds } from '../../zombie-rounds.ts';
import type { FaultRow } from '../fault-row.ts';
import { judgedHistory } from '../judged.ts';
import { finalRows } from '../under-load.ts';

const rounds = 2;

export const row: FaultRow = {
  number: 5,
  fault:
    'the active relay stands still with batches ready, its standby takes over, it wakes up; twice a round',
  expected: 'it is fenced and becomes a standby; nothing old behind what is new',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    await using pipeline = await TestPipeline.create(await round.stack());
    const times = await zombieRounds(pipeline, rounds);
    const verdict = await judgePipeline(pipeline, {
      allowedDuplicates: rounds * 4000,
      finalRows: await finalRows(pipeline),
    });
    const slowest = Math.max(...times) / 1000;
    return {
      bit: `${times.length} relays woke up behind their successors, which published after ${slowest.toFixed(1)} s at the most`,
      judged: judgedHistory(verdict),
      figures: { events: verdict.committed, duplicates: verdict.duplicates },
    };
  },
};
