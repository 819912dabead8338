import type { KafkaCluster } from '@outbound/local-stack';
import { Kafka, logLevel } from 'kafkajs';
import { eventually } from '../../../support/eventually.ts';
import { TopicAdmin } from '../../readers/topic-admin.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { morePublished, underLoad } from '../under-load.ts';
import { threeBrokers } from '../three-brokers.ts';

/**
 * Every node is broker and controller here. With three replicas everything would wait for the two that are gone, for who is in sync is the controllers' to say; so each
 * partition has one replica: those of the node that is left can go on, and those of the others cannot.
 */
export const row: FaultRow = {
  number: 33,
  fault: 'controller quorum loss (2 of 3 nodes killed)',
  expected:
    'partitions of the node that is left are published to, admin requests wait, all goes on after',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack }) => {
    const servers = await stack(threeBrokers);
    return underLoad(
      servers,
      { allowedDuplicates: 0, healLimitMs: 120_000 },
      async ({ pipeline, relay }) => {
        const topic = pipeline.topic('catalog.product-change');
        for (const name of ['catalog.product', 'catalog.product-change'])
          await keepOneReplica(servers.kafka, pipeline.topic(name));
        await morePublished(relay, 200);
        const before = await leaders(servers.kafka, topic);
        const left = servers.kafka.broker(chance.pick([...before.values()]));
        const others = servers.kafka.brokers.filter(({ nodeId }) => nodeId !== left.nodeId);
        const own = [...before]
          .filter(([, leader]) => leader === left.nodeId)
          .map(([partition]) => partition);
        await Promise.all(others.map((broker) => broker.kill()));
        const published = (await relay.metric('relay_records_published_total')) ?? 0;
        let grown: number;
        let adminError: string;
        try {
          grown = await eventually(
            async () => {
              const now = (await relay.metric('relay_records_published_total')) ?? 0;
              return now > published + 200 && now - published;
            },
            { timeoutMs: 60_000 },
          );
          adminError = await refusedTopic(left.directAddress, `${topic}.while-lost`);
        } finally {
          await servers.kafka.start();
        }
        const startedMs = performance.now();
        await morePublished(relay, 400);
        return {
          bit: `2 of 3 nodes killed, a topic could not be made: ${adminError}`,
          judged: [
            judged(
              'I8',
              true,
              `${grown} records confirmed for the ${own.length} partitions that were left; all went on ${((performance.now() - startedMs) / 1000).toFixed(1)} s after the nodes were back`,
            ),
          ],
        };
      },
    );
  },
};

/**
 * What the node that is left answers to whoever wants a topic.
 * @throws Error if the topic was made: then the controllers had a majority.
 */
async function refusedTopic(address: string, topic: string): Promise<string> {
  const made = 'made';
  const said = await eventually(
    async () => {
      // Any broker may be named as the one to ask, also one that is gone; another client asks again.
      const client = new Kafka({
        brokers: [address],
        logLevel: logLevel.NOTHING,
        requestTimeout: 4000,
        retry: { retries: 0 },
      });
      const admin = client.admin();
      await admin.connect();
      try {
        await admin.createTopics({
          waitForLeaders: false,
          timeout: 3000,
          topics: [{ topic, numPartitions: 1, replicationFactor: 1 }],
        });
        return made;
      } catch (error) {
        const text = String(error);
        return text.includes('ECONNREFUSED') ? undefined : text;
      } finally {
        await admin.disconnect();
      }
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
  if (said === made) throw new Error('a topic was made: the controllers had a majority');
  return said;
}

/** The leader of each partition. */
async function leaders(kafka: KafkaCluster, topic: string): Promise<Map<number, number>> {
  await using admin = await TopicAdmin.connect(kafka.directBootstrap, topic);
  await admin.healed();
  return new Map((await admin.partitions()).map(({ partition, leader }) => [partition, leader]));
}

/** Leaves each partition with its leader, which is enough to be written to. */
async function keepOneReplica(kafka: KafkaCluster, topic: string): Promise<void> {
  const { code, stderr } = await kafka.tool('configs', [
    ...['--alter', '--entity-type', 'topics', '--entity-name', topic],
    ...['--add-config', 'min.insync.replicas=1'],
  ]);
  if (code !== 0) throw new Error(`the topic could not be altered: ${stderr}`);
  await using admin = await TopicAdmin.connect(kafka.directBootstrap, topic);
  await admin.reassign(
    new Map((await admin.partitions()).map(({ partition, leader }) => [partition, [leader]])),
  );
}
