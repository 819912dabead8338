import { eventually } from '../../../support/eventually.ts';
import { TopicAdmin } from '../../readers/topic-admin.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { threeBrokers } from '../three-brokers.ts';
import { morePublished, underLoad } from '../under-load.ts';

const topicNames = ['catalog.product-change', 'catalog.product'];

/**
 * With two of three nodes gone the controllers would have no majority, and nobody could say which replicas are in sync (row 33). So here the topics ask for all three,
 * and one goes.
 */
export const row: FaultRow = {
  number: 30,
  fault: 'ISR < min.insync.replicas',
  expected: 'NOT_ENOUGH_REPLICAS is tried again, readiness says so, nothing is lost',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack }) => {
    const servers = await stack(threeBrokers);
    return underLoad(
      servers,
      { allowedDuplicates: 0, healLimitMs: 120_000 },
      async ({ pipeline, relay }) => {
        for (const name of topicNames) {
          await using admin = await TopicAdmin.connect(
            servers.kafka.directBootstrap,
            pipeline.topic(name),
          );
          await admin.healed();
          const { code, stderr } = await servers.kafka.tool('configs', [
            ...['--alter', '--entity-type', 'topics', '--entity-name', pipeline.topic(name)],
            ...['--add-config', 'min.insync.replicas=3'],
          ]);
          if (code !== 0) throw new Error(`the topic could not be altered: ${stderr}`);
        }
        await morePublished(relay, 100);
        const broker = chance.pick(servers.kafka.brokers);
        await broker[chance.pick(['stop', 'kill'] as const)]();
        const refusals = () =>
          relay.logs.filter(
            (line) =>
              line.message === 'a send failed and is tried again' &&
              JSON.stringify(line).includes('NOT_ENOUGH_REPLICAS'),
          ).length;
        await eventually(() => refusals() > 0, { timeoutMs: 60_000 });
        const ready = await relay.ready();
        await broker.start();
        await morePublished(relay, 200);
        await eventually(async () => (await relay.ready()).status === 'ready', {
          timeoutMs: 60_000,
        });
        const failures = (await relay.metric('relay_send_failures_total')) ?? 0;
        return {
          bit: `${failures} sends refused or without answer, NOT_ENOUGH_REPLICAS among them`,
          judged: [
            judged(
              'I11',
              ready.checks['kafka']?.ok === false,
              `readiness of Kafka meanwhile: ${ready.checks['kafka']?.detail ?? 'nothing'}`,
            ),
          ],
          figures: { failures },
        };
      },
    );
  },
};
