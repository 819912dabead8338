import { createHook } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../../test/support/fault-proxy.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  opened,
  provisioned,
  readTopic,
  recordAt,
  sendUntilStored,
} from './test-support/kafka-rig.ts';

let kafka: KafkaCluster;
let proxy: FaultProxy;
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 1,
    advertise: async ({ host, port }) => {
      proxy = await startFaultProxy({ host, port });
      return { host: proxy.host, port: proxy.port };
    },
  });
});
afterAll(async () => {
  await kafka.close();
  await proxy.close();
});

async function session(partitions: number) {
  const eventType = anyEventType(partitions);
  const source = anySource();
  const one = await opened(await provisioned(kafka, [eventType]), source);
  onTestFinished(async () => one.close());
  return { eventType, source, session: one };
}

it.each(['silence', 'reset'] as const)(
  'stores a batch once when the answer to it was lost (%s), and the next one behind it',
  async (then) => {
    const { eventType, source, session: one } = await session(2);
    const batches = [0, 1].map((partition) =>
      batchOf([1, 2, 3].map((lsn) => recordAt(source, eventType.change, partition, lsn))),
    );
    // The connection is there, so what is lost is the answer to the batches.
    await one.send([batchOf([recordAt(source, eventType.state, 0, 1)])]);
    proxy.set({ mode: 'drop-response', then });
    await expect(one.send(batches)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' });
    proxy.heal();
    expect((await readTopic(kafka.directBootstrap, eventType.change)).length).toBe(6);
    for (const { baseOffset } of await sendUntilStored(one, batches)) expect(baseOffset).toBe(0n);
    await one.send([batchOf([recordAt(source, eventType.change, 0, 4)])]);
    expect(
      (await readTopic(kafka.directBootstrap, eventType.change)).map(
        ({ partition, key }) => `${partition}:${String(key)}`,
      ),
    ).toEqual(['0:key-1', '0:key-2', '0:key-3', '0:key-4', '1:key-1', '1:key-2', '1:key-3']);
  },
);

it('pays one round trip for sixty partitions (trap 10b)', async () => {
  const { eventType, source, session: one } = await session(60);
  const round = async (lsn: number) => {
    const batches = Array.from({ length: 60 }, (_, partition) =>
      batchOf([recordAt(source, eventType.change, partition, lsn)]),
    );
    const beganMs = performance.now();
    expect(await one.send(batches)).toHaveLength(60);
    return performance.now() - beganMs;
  };
  // The broker makes the logs of a new topic one after the other.
  const first = Array.from({ length: 60 }, (_, partition) =>
    batchOf([recordAt(source, eventType.change, partition, 0)]),
  );
  await sendUntilStored(one, first);
  for (let lsn = 1; lsn < 20; lsn += 1) await round(lsn);
  proxy.set({ mode: 'latency', ms: 5 });
  const times: number[] = [];
  for (let lsn = 20; lsn < 120; lsn += 1) times.push(await round(lsn));
  proxy.heal();
  times.sort((a, b) => a - b);
  console.log(
    `60 partitions, 10 ms round trip: p50 ${times[50]?.toFixed(1)} ms, p99 ${times[98]?.toFixed(1)} ms`,
  );
  // The round trip is 10 ms; a send for each partition in turn would take 600.
  expect(times[50]).toBeLessThan(100);
});

it('wakes up for nothing while it is idle, where kafkajs does a thousand times a second (trap 3.2-10)', async () => {
  const { eventType, source, session: one } = await session(1);
  await one.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
  let timers = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'Timeout') timers += 1;
    },
  });
  const timersInASecond = async () => {
    timers = 0;
    await delay(1000);
    return timers;
  };
  hook.enable();
  try {
    const withSession = await timersInASecond();
    await one.close();
    const without = await timersInASecond();
    expect(withSession).toBeLessThanOrEqual(without + 2);
  } finally {
    hook.disable();
  }
});

it('notices a connection on which nothing moves although bytes are accepted, and uses a new one', async () => {
  const { eventType, source, session: one } = await session(1);
  const batch = batchOf([recordAt(source, eventType.change, 0, 1)]);
  proxy.set({ mode: 'blackhole' });
  const beganMs = performance.now();
  await expect(one.send([batch])).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' });
  expect(performance.now() - beganMs).toBeLessThan(8000);
  proxy.heal();
  expect(await sendUntilStored(one, [batch])).toHaveLength(1);
});

it('keeps an idle connection: it does not take silence for an outage when nothing is asked', async () => {
  const eventType = anyEventType();
  const source = anySource();
  const one = await opened(
    await provisioned(kafka, [eventType], {
      connection: { ...connectionTo(kafka.bootstrap), silenceLimitMs: 300 },
      timing: {
        replicationTimeoutMs: 200,
        metadataRefreshMs: 60_000,
        renewAfterMs: 60_000,
        topicMissingMs: 60_000,
      },
    }),
    source,
  );
  onTestFinished(async () => one.close());
  await one.send([batchOf([recordAt(source, eventType.change, 0, 1)])]);
  const { connections } = proxy.counts;
  await delay(1000);
  await one.send([batchOf([recordAt(source, eventType.change, 0, 2)])]);
  expect(proxy.counts.connections).toBe(connections);
});
