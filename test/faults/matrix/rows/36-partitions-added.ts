import { partitionOf } from '@outbound/contract';
import { EntityWriter } from '../../../support/entity-writer.ts';
import { eventually } from '../../../support/eventually.ts';
import { readTopics } from '../../../support/read-topics.ts';
import { SqlLoad } from '../../../support/sql-load.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { endsWithin } from '../ends-within.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { unaccounted } from '../slot-contents.ts';
import { morePublished } from '../under-load.ts';

const change = 'catalog.product-change';
const declared = 6;

/** With more partitions a key's next events would go elsewhere than its last ones, and nobody could say which came first. */
export const row: FaultRow = {
  number: 36,
  fault: 'partitions added while running',
  expected: 'the relay stops with exit 31 and names both numbers; no key moves, nothing is lost',
  seeds: 1,
  inCi: false,
  run: async ({ stack }) => {
    const servers = await stack();
    await using pipeline = await TestPipeline.create(servers);
    await EntityWriter.prepare(pipeline.sql);
    const relay = await pipeline.startRelay();
    const load = new SqlLoad(pipeline, { pauseMs: 2 });
    let seconds: number;
    let exit;
    try {
      await morePublished(relay, 200);
      const altered = await servers.kafka.tool('topics', [
        ...['--alter', '--topic', pipeline.topic(change), '--partitions', '9'],
      ]);
      if (altered.code !== 0) throw new Error(`no partition was added: ${altered.stderr}`);
      const startedMs = performance.now();
      exit = await endsWithin(relay);
      seconds = (performance.now() - startedMs) / 1000;
    } finally {
      await load.stop();
    }
    const again = await endsWithin(pipeline.launchRelay());
    await eventually(async () => {
      const { rows } = await pipeline.sql.query<{ active: boolean }>(
        'select active from pg_replication_slots where slot_name = $1',
        [pipeline.slot],
      );
      return rows[0]?.active === false;
    });
    const { rows } = await pipeline.sql.query<{ id: string; version: string }>(
      'select id, version from outbox',
    );
    const versions = new Map(rows.map(({ id, version }) => [id, Number(version)]));
    const newest = new Map<string, number>();
    const seen = new Set<string>();
    let moved = 0;
    let outOfOrder = 0;
    await readTopics(
      servers.kafka.directBootstrap,
      [pipeline.topic(change)],
      ({ key, eid = '', partition }) => {
        if (key === null || partition !== partitionOf(key, declared)) moved += 1;
        if (key === null || seen.has(eid)) return;
        seen.add(eid);
        const version = versions.get(eid) ?? 0;
        if (version !== (newest.get(key) ?? 0) + 1) outOfOrder += 1;
        newest.set(key, version);
      },
    );
    const lost = await unaccounted(pipeline, change);
    const told = relay.stderr.join(' ');
    return {
      bit: `6 became 9 partitions; the relay ended with ${exit.code} after ${seconds.toFixed(1)} s, and again with ${again.code} when it was started`,
      judged: [
        judged(
          'I11',
          exit.code === 31 && again.code === 31 && told.includes('SINK_TOPIC_MISMATCH'),
          told.slice(0, 200),
        ),
        judged(
          'I3',
          moved === 0 && outOfOrder === 0,
          `${seen.size} events published, ${moved} in another partition, ${outOfOrder} out of order`,
        ),
        judged(
          'I6',
          lost.length === 0,
          `${rows.length} events, ${lost.length} acknowledged and not published`,
        ),
      ],
    };
  },
};
