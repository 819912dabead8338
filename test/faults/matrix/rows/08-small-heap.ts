import { EntityWriter } from '../../../support/entity-writer.ts';
import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged, judgedHistory } from '../judged.ts';

const mebibyte = 1024 * 1024;
const transactionBytes = 200 * mebibyte;

export const row: FaultRow = {
  number: 8,
  fault: 'a transaction of 200 MB, with a heap of 128 MB (--max-old-space-size)',
  expected: 'passes through, under 256 MiB of resident memory, nothing twice',
  seeds: 5,
  inCi: false,
  run: async (round) => {
    await using pipeline = await TestPipeline.create(await round.stack());
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay({}, ['--max-old-space-size=128']);
    const filler = round.chance.int(500, 20_000);
    const rows = Math.ceil(transactionBytes / (filler + 100));
    const { rowCount } = await pipeline.sql.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       select gen_random_uuid(), 'catalog.product', 'entity-' || n % 500, 'catalog.product-change', n / 500 + 1, 'U',
         format('{"data_op":"U","data":{"id":"entity-%s","version":%s,"filler":"%s"}}', n % 500, n / 500 + 1, repeat('x', $2))::json
       from generate_series(0, $1 - 1) as n`,
      [rows, filler],
    );
    const startedMs = performance.now();
    const late = await pipeline.caughtUp(240_000).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    const seconds = (performance.now() - startedMs) / 1000;
    if (!relay.isRunning) throw new Error(`the relay ended: ${relay.tail()}`);
    const { peakBytes } = relay.memory();
    const verdict = await judgePipeline(pipeline);
    const peak = `${(peakBytes / mebibyte).toFixed(0)} MiB`;
    return {
      bit: `${(rowCount ?? 0).toLocaleString('en')} rows of ${filler} bytes in one transaction`,
      judged: [
        ...judgedHistory(verdict),
        judged('I8', late === undefined, late ?? `all out after ${seconds.toFixed(0)} s`),
        judged('I9', peakBytes < 256 * mebibyte, `${peak} resident at the peak`),
      ],
      figures: { events: verdict.committed, peakMiB: Math.round(peakBytes / mebibyte) },
    };
  },
};
