import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Kafka, logLevel } from 'kafkajs';
import {
  anyEventType,
  anySource,
  batchOf,
  LogLines,
  provisioned,
  recordAt,
} from './test-support/kafka-rig.ts';
import type { Delivery } from './kafka-publisher.ts';
import type { PublisherSession } from './publisher.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
});
afterAll(async () => kafka.close());

function rig() {
  const eventType = anyEventType();
  const source = anySource();
  const lane = `${eventType.change}/0`;
  const log = new LogLines();
  return {
    log,
    eventType,
    open: async (delivery: Delivery): Promise<PublisherSession> => {
      const publisher = await provisioned(kafka, [eventType], { delivery, log });
      const session = await publisher.open(source);
      onTestFinished(async () => session.close());
      return session;
    },
    batch: (...lsns: number[]) =>
      batchOf(lsns.map((lsn) => recordAt(source, eventType.change, 0, lsn))),
    tail: (session: PublisherSession) => session.tails.get(lane)?.eid,
  };
}

/** Records that no relay wrote. */
async function foreign(topic: string, count: number) {
  const producer = new Kafka({ brokers: kafka.bootstrap, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const messages = Array.from({ length: count }, () => ({ partition: 0, value: 'x' }));
  await producer.send({ topic, messages });
  await producer.disconnect();
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
