import { Cluster, fence, firstReservedEpoch, readPartition, TopicDirectory } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { RelayError } from '../errors.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { presetEpochs } from '../../../../test/support/preset-epoch.ts';
import type { Delivery } from './kafka-publisher.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  LogLines,
  provisioned,
  recordAt,
  sendUntilStored,
} from './test-support/kafka-rig.ts';
import { transactionalIdOf } from './transactional-id.ts';

/** The last epoch that Kafka gives out of a producer id. */
const lastEpoch = 32_766;

/** Instead of a record that says so, all epochs are really asked for: some minutes (`EPOCH_WALK=1`). */
const isWalked = process.env['EPOCH_WALK'] === '1';

/** A source of its own, whose last session had `epoch`, and how its next ones deliver. */
function rig(epoch: number, delivery: Delivery) {
  const eventType = anyEventType(2);
  const source = anySource();
  const log = new LogLines();
  return {
    epoch,
    delivery,
    log,
    topic: eventType.change,
    transactionalId: transactionalIdOf(source),
    open: async (how: Delivery) => {
      const publisher = await provisioned(kafka, [eventType], { delivery: how, log });
      const session = await publisher.open(source);
      onTestFinished(async () => session.close());
      return session;
    },
    batch: (partition: number, lsn: number) =>
      batchOf([recordAt(source, eventType.change, partition, lsn)]),
    /** Producer id and epoch of each session, in order. */
    producers: () =>
      log.lines.flatMap((line) => {
        const [, id, epochText] =
          /"producerId":"(\d+)","producerEpoch":(\d+),"brokers"/.exec(line) ?? [];
        return id === undefined ? [] : [{ id, epoch: Number(epochText) }];
      }),
  };
}

/** Just before the last epochs that a session writes with, and, for what a relay of an earlier release may leave, at the very end. */
const rigs = [
  rig(firstReservedEpoch - 2, 'at-least-once'),
  rig(firstReservedEpoch - 2, 'exactly-once'),
  rig(lastEpoch - 2, 'at-least-once'),
  rig(lastEpoch - 1, 'exactly-once'),
];

let kafka: KafkaCluster;

/** The keys of both partitions, one after the other. Not by kafkajs, which does not tell of an end that is a marker. */
async function keysIn(topic: string): Promise<string[]> {
  const cluster = new Cluster(connectionTo(kafka.bootstrap), new LogLines());
  const directory = new TopicDirectory(cluster, [topic]);
  await directory.refresh();
  const keys: string[] = [];
  for (const partition of [0, 1])
    await readPartition(
      cluster,
      directory.leaderOf(topic, partition),
      { topic, partition },
      (records) => {
        keys.push(...records.map(({ key }) => String(key)));
      },
      { waitMs: 10_000 },
    );
  cluster.close();
  return keys;
}

beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
  const cluster = new Cluster(connectionTo(kafka.bootstrap), new LogLines());
  const first = await Promise.all(
    rigs.map(async ({ transactionalId, epoch }) => {
      let { producerEpoch } = await eventually(() => fence(cluster, transactionalId, 30_000));
      const startedMs = performance.now();
      while (isWalked && producerEpoch < epoch)
        ({ producerEpoch } = await fence(cluster, transactionalId, 30_000));
      return { producerEpoch, ms: performance.now() - startedMs };
    }),
  );
  cluster.close();
  if (isWalked) console.log(`asked for all epochs: ${JSON.stringify(first)}`);
  else
    await presetEpochs(
      kafka,
      (id) => rigs.find(({ transactionalId }) => transactionalId === id)?.epoch,
    );
}, 3_600_000);
afterAll(async () => kafka.close());

it.each(rigs)(
  'refuses what a session behind epoch $epoch sends late, when its successors ($delivery) write under another producer id',
  async ({ epoch, open, delivery, batch, topic, producers }) => {
    const old = await open('at-least-once');
    await sendUntilStored(old, [batch(0, 1)]);
    // One of them gets the first epoch that is not written with, or Kafka's last.
    await open(delivery);
    const newest = await open(delivery);
    await sendUntilStored(newest, [batch(0, 2)]);
    const late = await Promise.all(
      [0, 1].map((partition) =>
        old.send([batch(partition, 3)]).then(
          () => 'stored',
          (thrown: unknown) => (thrown instanceof RelayError ? thrown.code : String(thrown)),
        ),
      ),
    );
    const opened = producers();
    const keys = await keysIn(topic);
    console.log(
      `${opened.map(({ id, epoch: of }) => `${id}/${of}`).join(', ')}: late requests ${late.join(', ')}; keys ${keys.join(', ')}`,
    );
    expect(late[0]).toBe('SINK_FENCED');
    expect(keys.slice(0, 2)).toEqual(['key-1', 'key-2']);
    if (epoch > firstReservedEpoch) return;
    // The old id is refused everywhere, where nobody has written since, too.
    expect(opened[0]?.epoch).toBe(epoch + 1);
    expect(opened.at(-1)?.id).not.toBe(opened[0]?.id);
    expect(late[1]).toBe('SINK_FENCED');
    expect(keys).toEqual(['key-1', 'key-2']);
  },
);
