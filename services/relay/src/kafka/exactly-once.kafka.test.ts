import { Cluster, errorFromCode, explainConcurrent, readPartition } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  LogLines,
  provisioned,
  recordAt,
} from './test-support/kafka-rig.ts';
import type { Delivery } from './kafka-publisher.ts';
import type { PublisherSession } from './publisher.ts';
import { transactionalIdOf } from './transactional-id.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(async () => kafka.close());

function rig() {
  const eventType = anyEventType();
  const source = anySource();
  const lane = `${eventType.change}/0`;
  const waits: string[] = [];
  const log = new LogLines();
  return {
    log,
    eventType,
    source,
    /** `code: lanes`, each time that a transaction waited. */
    waits,
    open: async (delivery: Delivery): Promise<PublisherSession> => {
      const publisher = await provisioned(kafka, [eventType], {
        ...{ delivery, log },
        onWaiting: ({ code }, _attempt, lanes) => waits.push(`${code}: ${lanes.join(' ')}`),
      });
      const session = await publisher.open(source);
      onTestFinished(async () => session.close());
      return session;
    },
    batch: (...lsns: number[]) =>
      batchOf(lsns.map((lsn) => recordAt(source, eventType.change, 0, lsn))),
    tail: (session: PublisherSession) => session.tails.get(lane)?.eid,
  };
}

const client = (): Kafka =>
  new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING, retry: { retries: 0 } });

/** Records that no relay wrote. */
async function foreign(topic: string, count: number) {
  const producer = client().producer();
  await producer.connect();
  const messages = Array.from({ length: count }, () => ({ partition: 0, value: 'x' }));
  try {
    await producer.send({ topic, messages });
  } finally {
    await producer.disconnect();
  }
}

/** Comes back when the topic takes nothing any more, for want of replicas. */
async function tooFewReplicas(topic: string) {
  const admin = client().admin();
  await admin.connect();
  const configEntries = [{ name: 'min.insync.replicas', value: '2' }];
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await admin.alterConfigs({ validateOnly: false, resources });
  await admin.disconnect();
  await eventually(() =>
    foreign(topic, 1).then(
      () => false,
      () => true,
    ),
  );
}

it('goes on behind what was committed in either mode, whichever it was before', async () => {
  const { open, batch, tail } = rig();
  const plain = await open('at-least-once');
  await plain.send([batch(1, 2)]);
  await plain.close();
  const exact = await open('exactly-once');
  expect(tail(exact)).toBe('event-2');
  await exact.send([batch(3)]);
  await exact.send([batch(4, 5)]);
  await exact.close();
  const again = await open('exactly-once');
  expect(tail(again)).toBe('event-5');
  await again.close();
  // It does not look into transactions: what is behind is sent again, and nothing is left out.
  const back = await open('at-least-once');
  expect(tail(back)).toBe('event-2');
  await back.send([batch(6)]);
  await back.close();
  expect(tail(await open('exactly-once'))).toBe('event-6');
});

it('knows a tail however far it is behind others’ records, since a record that is unknown would be published twice', async () => {
  const { open, batch, tail, eventType, log } = rig();
  const first = await open('exactly-once');
  await first.send([batch(1)]);
  await first.close();
  for (let round = 0; round < 9; round += 1) await foreign(eventType.change, 1000);
  expect(log.lines.join()).not.toContain('read to its beginning');
  expect(tail(await open('exactly-once'))).toBe('event-1');
  expect(log.lines.filter((line) => line.includes('read to its beginning'))).toEqual([
    expect.stringContaining(`"partition":"${eventType.change}/0"`) as string,
  ]);
});

it('lets no older relay append anywhere from its start on, also one that sends plain batches', async () => {
  const { open, batch } = rig();
  const plain = await open('at-least-once');
  await plain.send([batch(1)]);
  const exact = await open('exactly-once');
  await expect(plain.send([batch(2)])).rejects.toMatchObject({ code: 'SINK_FENCED' });
  const newer = await open('exactly-once');
  await expect(exact.send([batch(2)])).rejects.toMatchObject({ code: 'SINK_FENCED' });
  expect(await newer.send([batch(2)])).toHaveLength(1);
});

it('tells which partition holds its transaction up, and has it aborted when it stops, so that readers of the others go on', async () => {
  const { open, source, eventType, waits } = rig();
  const { change, state } = eventType;
  const session = await open('exactly-once');
  await tooFewReplicas(state);
  const sending = session.send([
    batchOf([recordAt(source, change, 0, 1)]),
    batchOf([recordAt(source, state, 0, 1)]),
  ]);
  await eventually(() => waits.length > 0);
  expect(new Set(waits)).toEqual(new Set([`SINK_PARTITION_UNAVAILABLE: ${state}/0`]));
  await Promise.all([
    expect(sending).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' }),
    session.close(),
  ]);

  const cluster = new Cluster(connectionTo(kafka.bootstrap), new LogLines());
  onTestFinished(() => cluster.close());
  await cluster.describe([change]);
  let records = 0;
  // Long before its time of 30 s is over.
  await eventually(
    () =>
      readPartition(cluster, 1, { topic: change, partition: 0 }, (some) => {
        records += some.length;
      }),
    { timeoutMs: 10_000 },
  );
  expect(records).toBe(0);
  const concurrent = errorFromCode(51, 'transactional id');
  expect(await explainConcurrent(cluster, transactionalIdOf(source), concurrent)).toMatchObject({
    code: 'KAFKA_PARTITION_UNAVAILABLE',
    message: expect.stringContaining(
      `(PrepareEpochFence), and ${state}/0 has not taken its end`,
    ) as string,
  });
});
