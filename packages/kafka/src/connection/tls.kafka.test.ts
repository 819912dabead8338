import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { kafkaConnection, kafkaSettings, readConfig } from '@outbound/service-kit';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { Authority } from '../../../../test/support/authority.ts';
import {
  listenerCertificate,
  showCertificate,
} from '../../../../test/support/broker-certificate.ts';
import type { Certificate } from '../../../../test/support/certificate.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../../../../test/support/fault-proxy.ts';
import { openKafkaReads } from '../reads/open-kafka-reads.ts';
import { Stranger, silentLog } from '../test-support/test-topics.ts';

/* SASL_SSL with SCRAM-SHA-512 and certificates on both sides, from the settings of a program to a real broker. */

const reauthMs = 2000;
const ours = new Authority('ours');
const stranger = new Authority('a stranger');
const good = ours.issue({ name: 'broker' });
const folder = mkdtempSync(join(tmpdir(), 'outbound-kafka-tls-'));
const files = {
  X_KAFKA_TLS_CA_FILE: join(folder, 'ca.pem'),
  X_KAFKA_TLS_CERT_FILE: join(folder, 'client.pem'),
  X_KAFKA_TLS_KEY_FILE: join(folder, 'client.key'),
  X_KAFKA_SASL_PASSWORD_FILE: join(folder, 'password'),
};
let kafka: KafkaCluster;
let proxy: FaultProxy;
let topic: string;

beforeAll(async () => {
  writeFileSync(files.X_KAFKA_TLS_CA_FILE, ours.cert);
  writeFileSync(files.X_KAFKA_SASL_PASSWORD_FILE, 'correct horse\n');
  weShow(ours.issue({ name: 'relay' }));
  kafka = await startKafka({
    brokers: 1,
    advertise: async ({ host, port }) => {
      await proxy?.close();
      proxy = await startFaultProxy({ host, port });
      return { host: proxy.host, port: proxy.port };
    },
    settings: {
      'listener.security.protocol.map':
        'CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT',
      ...listenerCertificate(good),
      'listener.name.client.ssl.client.auth': 'required',
      'listener.name.client.ssl.truststore.type': 'PEM',
      'listener.name.client.ssl.truststore.certificates': ours.cert,
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.client.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'listener.name.client.scram-sha-512.connections.max.reauth.ms': String(reauthMs),
    },
  });
  await setPassword('correct horse');
  const other = new Stranger(kafka.directBootstrap);
  topic = await other.topic();
  await other.close();
});
afterAll(async () => {
  await kafka?.close();
  await proxy?.close();
  ours[Symbol.dispose]();
  stranger[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function weShow({ cert, key }: Certificate): void {
  writeFileSync(files.X_KAFKA_TLS_CERT_FILE, cert);
  writeFileSync(files.X_KAFKA_TLS_KEY_FILE, key);
}
async function setPassword(password: string): Promise<void> {
  const result = await kafka.tool('configs', [
    ...['--alter', '--add-config', `SCRAM-SHA-512=[password=${password}]`],
    ...['--entity-type', 'users', '--entity-name', 'relay'],
  ]);
  expect(result).toMatchObject({ code: 0 });
}
const brokerShows = (certificate: Certificate) =>
  showCertificate(kafka.directBootstrap, proxy, certificate);

/** A client as a program makes it from its settings. */
async function opened(over: Readonly<Record<string, string | undefined>> = {}) {
  const env = {
    NODE_ENV: 'production',
    X_KAFKA_BROKERS: kafka.bootstrap.join(','),
    X_KAFKA_TLS: 'true',
    X_KAFKA_SASL_MECHANISM: 'scram-sha-512',
    X_KAFKA_SASL_USERNAME: 'relay',
    ...files,
    ...over,
  };
  const settings = readConfig('X_', z.object(kafkaSettings('tls-test')), env);
  const connection = kafkaConnection(settings, { prefix: 'X_', env });
  const reads = await openKafkaReads(connection, silentLog);
  onTestFinished(async () => reads.close());
  return reads.log;
}
type Log = Awaited<ReturnType<typeof opened>>;
const answers = async (log: Log) => (await log.topics([topic]))[0]?.errorCode === 0;
const asked = async (over?: Parameters<typeof opened>[0]) => answers(await opened(over));
const loses = () => {
  proxy.set({ mode: 'cut' });
  proxy.set({ mode: 'pass' });
};

it('works with good certificates on both sides', async () => {
  expect(await asked()).toBe(true);
});

it.each([
  ['has expired', () => ours.issue({ name: 'broker', days: -1 }), /expired/],
  [
    'is of an authority that nobody knows',
    () => stranger.issue({ name: 'broker' }),
    /unable to (verify|get)/,
  ],
] as const)(
  'a certificate of the broker that %s is refused with its reason, and sessions that are open go on',
  async (_, bad, why) => {
    const log = await opened();
    expect(await answers(log)).toBe(true);
    await brokerShows(bad());
    onTestFinished(() => brokerShows(good));
    expect(await answers(log)).toBe(true);
    await expect(asked()).rejects.toMatchObject({
      code: 'KAFKA_AUTH_FAILED',
      message: expect.stringMatching(why) as string,
    });
  },
);

it('a certificate of another name is refused, and named', async () => {
  await expect(asked({ X_KAFKA_BROKERS: `localhost:${proxy.port}` })).rejects.toMatchObject({
    code: 'KAFKA_AUTH_FAILED',
    message: expect.stringMatching(/altnames/) as string,
  });
});

it.each([
  ['is missing', undefined],
  ['has expired', () => ours.issue({ name: 'relay', days: -1 })],
  ['is of an authority that the broker does not know', () => stranger.issue({ name: 'relay' })],
] as const)('a certificate of ours that %s is a verdict, and not waited for', async (_, bad) => {
  const over: Record<string, string | undefined> = {};
  if (bad) {
    const { cert, key } = bad();
    Object.assign(over, {
      X_KAFKA_TLS_CERT_FILE: undefined,
      X_KAFKA_TLS_KEY_FILE: undefined,
      X_KAFKA_TLS_CERT: cert,
      X_KAFKA_TLS_KEY: key,
    });
  } else Object.assign(over, { X_KAFKA_TLS_CERT_FILE: undefined, X_KAFKA_TLS_KEY_FILE: undefined });
  await expect(asked(over)).rejects.toMatchObject({ code: 'KAFKA_AUTH_FAILED' });
});

it('renewed certificates of both sides, under another authority, are used at the next connection', async () => {
  const log = await opened();
  expect(await answers(log)).toBe(true);
  const [before, after] = [good, stranger.issue({ name: 'broker' })];
  writeFileSync(files.X_KAFKA_TLS_CA_FILE, ours.cert + stranger.cert);
  weShow(ours.issue({ name: 'relay' }));
  await brokerShows(after);
  onTestFinished(() => brokerShows(before));
  loses();
  expect(await eventually(() => answers(log))).toBe(true);
});

it('a password that was changed in its file is used at the next login, with no lost connection', async () => {
  const log = await opened();
  expect(await answers(log)).toBe(true);
  const { connections } = proxy.counts;
  await setPassword('second horse');
  writeFileSync(files.X_KAFKA_SASL_PASSWORD_FILE, 'second horse\n');
  // Over the end of the session that the first password began.
  const endMs = performance.now() + 2 * reauthMs;
  while (performance.now() < endMs) expect(await answers(log)).toBe(true);
  expect(proxy.counts.connections).toBe(connections);
  const old = { X_KAFKA_SASL_PASSWORD_FILE: undefined, X_KAFKA_SASL_PASSWORD: 'correct horse' };
  await expect(asked(old)).rejects.toMatchObject({ code: 'KAFKA_AUTH_FAILED' });
});
