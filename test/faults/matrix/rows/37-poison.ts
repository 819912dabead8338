import { randomUUID } from 'node:crypto';
import { EntityWriter } from '../../../support/entity-writer.ts';
import { eventually } from '../../../support/eventually.ts';
import { judgePipeline } from '../../../support/judge-pipeline.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { endsWithin } from '../ends-within.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged, judgedHistory } from '../judged.ts';
import { finalRows } from '../under-load.ts';

/** More than a topic takes: a mebibyte is its default. */
const oversize = 2 * 1024 * 1024;

export const row: FaultRow = {
  number: 37,
  fault: 'poison: event > max.message.bytes; null key',
  expected:
    'refused at the insert; where it was forced in, its key is parked, or without a key the relay stops with its id; all others flow',
  seeds: 1,
  inCi: true,
  run: async ({ stack, say }) => {
    const servers = await stack();
    await using pipeline = await TestPipeline.create(servers);
    await EntityWriter.prepare(pipeline.sql);
    const writer = new EntityWriter(pipeline.sql);
    const insert = async (key: string | null, filler = 10) => {
      const id = randomUUID();
      await pipeline.sql.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
         values ($1, 'catalog.product', $2, 'catalog.product-change', 1, 'C', json_build_object('data_op', 'C', 'filler', repeat('x', $3)))`,
        [id, key, filler],
      );
      return id;
    };
    const refusal = async (insertion: Promise<string>) =>
      insertion.then(
        () => 'taken',
        (error: unknown) => (error as { code?: string }).code ?? String(error),
      );
    const { url } = await pipeline.startApi();
    const tooLong = await fetch(`${url}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sku: 'LARGE', name: 'x'.repeat(oversize) }),
    });
    await tooLong.arrayBuffer();
    const atTheTable = {
      large: await refusal(insert('large', oversize)),
      keyless: await refusal(insert(null)),
    };
    await pipeline.sql.query(`
      alter table outbox drop constraint outbox_sound_check;
      alter table outbox alter aggregateid drop not null;`);

    const relay = await pipeline.startRelay();
    await writer.write('flows');
    const large = await insert('large', oversize);
    const behind = await insert('large');
    for (let n = 0; n < 20; n += 1) await writer.write('flows');
    await pipeline.caughtUp();
    const parked = await relay.metric('relay_dead_letters_total');
    const ready = await relay.ready();
    say(`parked ${parked} events: ${ready.checks['relay']?.detail ?? ''}`);

    const keyless = await insert(null);
    await writer.write('flows');
    const exit = await endsWithin(relay);
    const told = relay.stderr.join('\n').includes(keyless);
    const next = await pipeline.startRelay({ RELAY_SKIP_EVENTS: keyless });
    await writer.write('flows');
    await pipeline.caughtUp();
    const still = await eventually(async () => next.metric('relay_parked_keys'));
    const verdict = await judgePipeline(pipeline, {
      leftOut: [large, behind, keyless],
      finalRows: await finalRows(pipeline),
    });
    return {
      bit: `an event of ${oversize.toLocaleString('en')} bytes and one without a key, forced in behind the table's checks`,
      judged: [
        ...judgedHistory(verdict, ['I1', 'I3', 'I7']),
        judged(
          'I10',
          tooLong.status === 413 && atTheTable.large === '23514' && atTheTable.keyless === '23502',
          `API ${tooLong.status}, table ${atTheTable.large} and ${atTheTable.keyless}`,
        ),
        judged(
          'I11',
          parked === 2 &&
            still === 1 &&
            ready.checks['relay']?.detail?.includes('EVENT_TOO_LARGE') === true &&
            exit.code === 20 &&
            told,
          `${parked} events of one key parked; without a key exit ${exit.code}${told ? ', naming the event' : ''}`,
        ),
      ],
    };
  },
};
