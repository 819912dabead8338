import { ApiLoad } from '../../../support/api-load.ts';
import { TopicAdmin } from '../../readers/topic-admin.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { threeBrokers } from '../three-brokers.ts';
import { morePublished, underLoad } from '../under-load.ts';

/** What a deployment of Kafka does to a pipeline that nobody has told of it. */
export const row: FaultRow = {
  number: 28,
  fault: 'rolling restart of 3 brokers',
  expected: 'no error to callers of the API, no duplicate',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack, say }) => {
    const servers = await stack(threeBrokers);
    return underLoad(
      servers,
      { allowedDuplicates: 0, healLimitMs: 120_000 },
      async ({ pipeline, relay }) => {
        const { url } = await pipeline.startApi();
        const callers = new ApiLoad(url, { name: 'rolling' });
        const topics = ['catalog.product-change', 'catalog.product'].map((name) =>
          pipeline.topic(name),
        );
        const stops: string[] = [];
        let led = 0;
        try {
          for (const broker of chance.shuffled(servers.kafka.brokers)) {
            for (const topic of topics) {
              await using admin = await TopicAdmin.connect(servers.kafka.directBootstrap, topic);
              await admin.healed();
              const partitions = await admin.partitions();
              led += partitions.filter(({ leader }) => leader === broker.nodeId).length;
            }
            await morePublished(relay, 100);
            const { durationMs } = await broker.stop();
            stops.push(`${(durationMs / 1000).toFixed(1)} s`);
            await morePublished(relay, 100);
            await broker.start();
          }
        } finally {
          await callers.stop();
        }
        say(`controlled stops took ${stops.join(', ')}`);
        if (led === 0) throw new Error('no broker that was stopped led a partition of ours');
        const { rows } = await pipeline.sql.query<{ n: number }>(
          'select count(*)::int as n from product',
        );
        return {
          bit: `${stops.length} controlled stops of brokers that led ${led} of our partitions`,
          judged: [
            judged(
              'I10',
              callers.refused === 0 && rows[0]?.n === callers.created.length,
              `${callers.created.length} of ${callers.created.length + callers.refused} requests answered 201, ${rows[0]?.n} products`,
            ),
          ],
          figures: { requests: callers.created.length + callers.refused },
        };
      },
    );
  },
};
