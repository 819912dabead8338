import { EntityWriter } from '../../../support/entity-writer.ts';
import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { SqlLoad } from '../../../support/sql-load.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged, judgedHistory } from '../judged.ts';
import { finalRows, inFlightRecords, morePublished, moreWritten } from '../under-load.ts';

const situations = ['idle', 'busy', 'without Kafka'] as const;

export const row: FaultRow = {
  number: 11,
  fault: 'Postgres stopped fast and started again, with the relay idle, busy, and with Kafka down',
  expected: 'the stop takes under 5 s each time, and the relay comes back',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    const { postgres, kafka, ...stack } = await round.stack();
    await using pipeline = await TestPipeline.create({ postgres, kafka, ...stack });
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay();
    const took: string[] = [];
    let slowestMs = 0;
    for (const [index, situation] of round.chance.shuffled(situations).entries()) {
      const load = situation === 'idle' ? undefined : new SqlLoad(pipeline, { pauseMs: 2 });
      if (load) await morePublished(relay, round.chance.int(50, 500));
      else await new EntityWriter(pipeline.sql).write('entity-0-0');
      if (situation === 'without Kafka') {
        const seen = relay.logs.length;
        await kafka.stop();
        await relay.log(
          'a send failed and is tried again',
          (line) => relay.logs.indexOf(line) >= seen,
        );
        if (load) await moreWritten(load, 200);
      } else if (!load) await pipeline.caughtUp();
      // What the server has to bring to its disk is the machine's, and not the relay's.
      await pipeline.sql.query('checkpoint');
      const { durationMs } = await postgres.stop('fast');
      slowestMs = Math.max(slowestMs, durationMs);
      took.push(`${situation} ${(durationMs / 1000).toFixed(1)} s`);
      await postgres.start();
      if (situation === 'without Kafka') await kafka.start();
      await pipeline.reconnect();
      await relay.reached('streaming', { times: index + 2, timeoutMs: 60_000 });
      await load?.stop();
      await pipeline.caughtUp();
    }
    const verdict = await judgePipeline(pipeline, {
      allowedDuplicates: situations.length * inFlightRecords,
      finalRows: await finalRows(pipeline),
    });
    return {
      bit: `the server stopped ${situations.length} times: ${took.join(', ')}`,
      judged: [
        ...judgedHistory(verdict),
        judged('I8', slowestMs < 5000, `the slowest stop took ${(slowestMs / 1000).toFixed(1)} s`),
      ],
      figures: { events: verdict.committed, duplicates: verdict.duplicates },
    };
  },
};
