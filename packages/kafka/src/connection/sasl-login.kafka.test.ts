import { setTimeout as delay } from 'node:timers/promises';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../../test/support/fault-proxy.ts';
import { openKafkaReads } from '../reads/open-kafka-reads.ts';
import { connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';

/** A broker ends a session of this age at its next request (KIP-368). */
const reauthMs = 2000;
const password = 'correct horse';
let kafka: KafkaCluster;
let proxy: FaultProxy;
let stranger: Stranger;
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 1,
    advertise: async ({ host, port }) => {
      proxy = await startFaultProxy({ host, port });
      return { host: proxy.host, port: proxy.port };
    },
    settings: {
      'listener.security.protocol.map':
        'CLIENT:SASL_PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
      'listener.name.client.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="${password}";`,
      'listener.name.client.scram-sha-256.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'listener.name.client.plain.connections.max.reauth.ms': String(reauthMs),
      'listener.name.client.scram-sha-256.connections.max.reauth.ms': String(reauthMs),
    },
  });
  const added = await kafka.tool('configs', [
    ...['--alter', '--add-config', `SCRAM-SHA-256=[password=${password}]`],
    ...['--entity-type', 'users', '--entity-name', 'relay'],
  ]);
  expect(added).toMatchObject({ code: 0 });
  stranger = new Stranger(kafka.directBootstrap);
});
afterAll(async () => {
  await stranger.close();
  await kafka.close();
  await proxy.close();
});

async function opened(mechanism: 'plain' | 'scram-sha-256', over = {}) {
  const reads = await openKafkaReads(
    connectionTo(kafka.bootstrap, { sasl: { mechanism, username: 'relay', password }, ...over }),
    silentLog,
  );
  onTestFinished(async () => reads.close());
  return reads.log;
}

it.each(['plain', 'scram-sha-256'] as const)(
  'is renewed before its end, over and over, without a lost connection or a failed request (%s)',
  async (mechanism) => {
    const topic = await stranger.topic();
    const log = await opened(mechanism);
    await log.topics([topic]);
    const positions = [{ topic, partition: 0, offset: 0n, leaderEpoch: -1 }];
    const wish = { minBytes: 1, maxBytes: 1000, maxBytesPerPartition: 1000, positions };
    await log.fetch(1, { ...wish, maxWaitMs: 10 });
    const { connections } = proxy.counts;
    const endMs = performance.now() + 4 * reauthMs;
    let isOver = false;
    const ask = async () => {
      while (!isOver) {
        expect((await log.topics([topic]))[0]?.errorCode).toBe(0);
        await delay(20);
      }
    };
    const fetch = async () => {
      // Held back beyond the end of the session it was asked in.
      while (!isOver) await log.fetch(1, { ...wish, maxWaitMs: 700 });
    };
    const working = Promise.all([ask(), ask(), fetch()]);
    while (performance.now() < endMs) await delay(50);
    isOver = true;
    await working;
    expect(proxy.counts.connections).toBe(connections);
  },
);

it('is renewed by the first request after its end, where nothing was asked meanwhile', async () => {
  const topic = await stranger.topic();
  const log = await opened('plain');
  await log.topics([topic]);
  const { connections } = proxy.counts;
  await delay(2 * reauthMs);
  expect((await log.topics([topic]))[0]?.errorCode).toBe(0);
  expect(proxy.counts.connections).toBe(connections);
});

it('survives a restart of the broker: what it fails by meanwhile is never a wrong password', async () => {
  const topic = await stranger.topic();
  const log = await opened('plain');
  await log.topics([topic]);
  const codes = new Set<unknown>();
  let isUp = false;
  const restarting = (async () => {
    await kafka.broker(1).stop();
    await kafka.broker(1).start();
    isUp = true;
  })();
  while (!isUp)
    await log.topics([topic]).catch((thrown: { code?: unknown }) => codes.add(thrown.code));
  await restarting;
  expect([...codes]).toEqual(['KAFKA_UNAVAILABLE']);
  expect((await log.topics([topic]))[0]?.errorCode).toBe(0);
});
