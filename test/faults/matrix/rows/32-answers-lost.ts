import { Kafka, logLevel } from 'kafkajs';
import { eventually } from '../../../support/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../../../support/fault-proxy.ts';
import type { TestPipeline } from '../../../support/test-pipeline.ts';
import { startTestStack } from '../../../support/test-stack.ts';
import type { FaultRow } from '../fault-row.ts';
import { morePublished, underLoad } from '../under-load.ts';

/** A record that was stored and not confirmed is sent again: the broker must know it by its sequence, and must know no other one by it. */
export const row: FaultRow = {
  number: 32,
  fault: 'produce response dropped after append',
  expected: 'what is sent again is known by its sequence; nothing lost, nothing twice',
  seeds: 20,
  inCi: false,
  run: async ({ chance, say }) => {
    const proxies: FaultProxy[] = [];
    const servers = await startTestStack({
      kafka: {
        advertise: async ({ host, port }) => {
          const proxy = await startFaultProxy({ host, port });
          proxies.push(proxy);
          return { host: proxy.host, port: proxy.port };
        },
      },
    });
    try {
      return await underLoad(
        servers,
        { allowedDuplicates: 0, healLimitMs: 90_000 },
        async ({ pipeline, relay }) => {
          const [proxy] = proxies;
          if (!proxy) throw new Error('no proxy stands before the broker');
          let stored = 0;
          for (let round = 0; round < 4; round += 1) {
            await morePublished(relay, chance.int(50, 300));
            const then = chance.pick(['silence', 'reset'] as const);
            const dropped = proxy.counts.dropped.down;
            proxy.set({ mode: 'drop-response', then });
            await eventually(() => proxy.counts.dropped.down > dropped, { timeoutMs: 30_000 });
            // What is confirmed cannot grow now; what is stored beyond it was stored without an answer.
            const unanswered = await eventually(
              async () =>
                (await storedRecords(pipeline)) -
                ((await relay.metric('relay_records_published_total')) ?? 0),
              { timeoutMs: 30_000 },
            );
            stored += unanswered;
            say(`${then}: ${unanswered} records stored without an answer`);
            proxy.heal();
          }
          await morePublished(relay, 200);
          return {
            bit: `${proxy.counts.dropped.down.toLocaleString('en')} bytes of answers dropped, ${stored} records stored without one`,
            judged: [],
            figures: { unanswered: stored },
          };
        },
      );
    } finally {
      await servers[Symbol.asyncDispose]();
      for (const proxy of proxies) await proxy.close();
    }
  },
};

/** Records in the pipeline's topics, asked past the proxy. */
async function storedRecords(pipeline: TestPipeline): Promise<number> {
  const admin = new Kafka({
    brokers: pipeline.stack.kafka.directBootstrap,
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  try {
    let sum = 0;
    for (const name of ['catalog.product-change', 'catalog.product'])
      for (const { high } of await admin.fetchTopicOffsets(pipeline.topic(name)))
        sum += Number(high);
    return sum;
  } finally {
    await admin.disconnect();
  }
}
