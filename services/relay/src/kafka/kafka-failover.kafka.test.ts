import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  opened,
  provisioned,
  readTopic,
  recordAt,
} from './test-support/kafka-rig.ts';
import { faultsOf, LaneLoad } from './test-support/lane-load.ts';

const partitions = 6;
let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 3 });
});
afterAll(async () => kafka.close());

async function underLoad(fault: (load: LaneLoad, leader: number) => Promise<void>): Promise<void> {
  const eventType = anyEventType(partitions);
  const source = anySource();
  const session = await opened(await provisioned(kafka, [eventType]), source);
  const load = new LaneLoad(eventType.change, partitions, source);
  load.start(session);
  await load.flows(60_000);
  await fault(load, session.leaderOf(eventType.change, 0));
  await load.flows(60_000);
  await load.finish();
  // A broker that has just woken up may still take itself for a leader and tell an end of its log from before.
  const records = await eventually(
    async () => {
      const read = await readTopic(kafka.bootstrap, eventType.change);
      return read.length >= load.sent && read;
    },
    { timeoutMs: 30_000, intervalMs: 500 },
  );
  expect(faultsOf(records, load.sent)).toEqual({ missing: 0, doubled: 0, disordered: 0 });
  expect(load.failures.length).toBeGreaterThan(0);
  console.log(
    `${load.sent} records, ${load.failures.length} failed sends, standstill ${Math.round(load.longestStandstillMs)} ms`,
  );
}

describe('three brokers under load (traps 3.1-1 and 10d)', () => {
  it('loses, doubles and disorders nothing when a leader is killed, and flows again before it is back', async () => {
    await underLoad(async (load, leader) => {
      await kafka.broker(leader).kill();
      await load.flows(60_000);
      await kafka.broker(leader).start();
    });
  });

  it('loses, doubles and disorders nothing when a leader hangs, and flows again while it hangs', async () => {
    await underLoad(async (load, leader) => {
      await kafka.broker(leader).pause();
      try {
        await load.flows(60_000);
      } finally {
        await kafka.broker(leader).resume();
      }
    });
  });

  it('loses, doubles and disorders nothing over a rolling restart', async () => {
    await underLoad(async (load) => {
      for (const broker of kafka.brokers) {
        await broker.stop();
        await load.flows(60_000);
        await broker.start();
      }
    });
  });
});

describe('one partition that cannot be written to', () => {
  it('has too few replicas in sync, and holds no other partition of the same broker', async () => {
    const eventType = anyEventType();
    const source = anySource();
    const session = await opened(await provisioned(kafka, [eventType]), source);
    const { code } = await kafka.tool('configs', [
      ...['--alter', '--entity-type', 'topics', '--entity-name', eventType.state],
      ...['--add-config', 'min.insync.replicas=3'],
    ]);
    expect(code).toBe(0);
    const leaders = [eventType.change, eventType.state].map((topic) => session.leaderOf(topic, 0));
    const other = kafka.brokers.find(({ nodeId }) => !leaders.includes(nodeId));
    if (!other) throw new Error('three brokers');
    await other.stop();
    try {
      const held = batchOf([recordAt(source, eventType.state, 0, 1)]);
      await expect(session.send([held])).rejects.toMatchObject({
        code: 'SINK_PARTITION_UNAVAILABLE',
        message: expect.stringContaining('NOT_ENOUGH_REPLICAS') as string,
      });
      const free = batchOf([recordAt(source, eventType.change, 0, 2)]);
      expect(await session.send([held, free])).toMatchObject([{ topic: eventType.change }]);
    } finally {
      await other.start();
      await session.close();
    }
  });

  it('has lost its only broker, and hides no other partition’s leader, as it does in kafkajs', async () => {
    const eventType = anyEventType(3);
    const source = anySource();
    const created = await kafka.tool('topics', [
      ...['--create', '--topic', eventType.state, '--replica-assignment', '1,2,3'],
      ...['--config', 'cleanup.policy=compact', '--config', 'min.insync.replicas=1'],
    ]);
    expect(created.code).toBe(0);
    const publisher = await provisioned(kafka, [eventType]);
    await kafka.broker(3).stop();
    try {
      const session = await opened(publisher, source);
      const batches = [0, 1, 2].map((partition) =>
        batchOf([recordAt(source, eventType.state, partition, partition)]),
      );
      expect((await session.send(batches)).map(({ partition }) => partition).sort()).toEqual([
        0, 1,
      ]);
      await expect(session.send(batches.slice(2))).rejects.toMatchObject({
        code: 'SINK_PARTITION_UNAVAILABLE',
      });
      await session.close();
    } finally {
      await kafka.broker(3).start();
    }
  });
});
