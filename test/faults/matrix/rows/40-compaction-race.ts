import { EntityWriter } from '../../../support/entity-writer.ts';
import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { quickCleaner, raceCompaction } from '../../compaction-race.ts';
import type { FaultRow } from '../fault-row.ts';
import { judgedHistory } from '../judged.ts';
import { finalRows, inFlightRecords } from '../under-load.ts';

export const row: FaultRow = {
  number: 40,
  fault: 'compaction racing replays: short segments, dirty ratio 0.001, relay killed repeatedly',
  expected:
    'whoever reads the compacted topic from 0 sees the state of the database, deletions included',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack }) => {
    await using pipeline = await TestPipeline.create(
      await stack({ kafka: { settings: quickCleaner } }),
    );
    await EntityWriter.prepare(pipeline.sql);
    const race = await raceCompaction(pipeline, { kills: 6, random: chance.unit });
    const verdict = await judgePipeline(pipeline, {
      allowedDuplicates: race.kills * inFlightRecords,
      compactedTopics: ['catalog.product'],
      finalRows: await finalRows(pipeline),
    });
    return {
      bit: `${race.kills} kills, ${race.written.toLocaleString('en')} events written, compaction left ${race.left} records`,
      judged: judgedHistory(verdict),
      figures: { duplicates: verdict.duplicates },
    };
  },
};
