import type { KafkaConnection } from '@outbound/service-kit';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { certificate } from '../../../../test/support/certificate.ts';
import { startFaultProxy, type FaultProxy } from '../../../../test/support/fault-proxy.ts';
import { KafkaPublisher } from './kafka-publisher.ts';
import { transactionalIdOf } from './transactional-id.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  LogLines,
  opened,
  provisioned,
  recordAt,
  sendUntilStored,
} from './test-support/kafka-rig.ts';

let kafka: KafkaCluster;
let proxy: FaultProxy;
let ca: string;
const password = 'correct horse';

beforeAll(async () => {
  const { key, cert } = certificate();
  ca = cert;
  kafka = await startKafka({
    brokers: 1,
    // With an endpoint of its own for clients, the cluster keeps a plain one for itself and its tools.
    advertise: async ({ host, port }) => {
      proxy = await startFaultProxy({ host, port });
      return { host: proxy.host, port: proxy.port };
    },
    settings: {
      'listener.security.protocol.map':
        'CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT',
      'listener.name.client.ssl.keystore.type': 'PEM',
      'listener.name.client.ssl.keystore.key': key,
      'listener.name.client.ssl.keystore.certificate.chain': cert,
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.client.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="${password}";`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  });
});
afterAll(async () => {
  await kafka.close();
  await proxy.close();
});

const secured = (over: Partial<KafkaConnection> = {}): KafkaConnection => ({
  ...connectionTo(kafka.bootstrap),
  tls: { ca, rejectUnauthorized: true },
  sasl: { mechanism: 'plain', username: 'relay', password },
  ...over,
});

async function acl(action: '--add' | '--remove', args: readonly string[]): Promise<void> {
  const force = action === '--remove' ? ['--force'] : [];
  const result = await kafka.tool('acls', [
    ...[action, ...force, '--allow-principal', 'User:relay', ...args],
  ]);
  expect(result).toMatchObject({ code: 0 });
}

/** Topics that a super user has made, and a publisher that may do what the documentation says it needs. */
async function permitted(source: ReturnType<typeof anySource>) {
  const eventType = anyEventType();
  await provisioned(kafka, [eventType], { connection: connectionTo(kafka.directBootstrap) });
  for (const topic of [eventType.change, eventType.state])
    await acl('--add', ['--topic', topic, '--operation', 'Write', '--operation', 'Describe']);
  const id = transactionalIdOf(source);
  await acl('--add', ['--transactional-id', id, '--operation', 'Write', '--operation', 'Describe']);
  const log = new LogLines();
  const publisher = new KafkaPublisher({
    connection: secured(),
    eventTypes: [eventType],
    compression: 'none',
    log,
  });
  return { eventType, log, publisher };
}

function publisherWith(connection: KafkaConnection): KafkaPublisher {
  return new KafkaPublisher({
    connection,
    eventTypes: [anyEventType()],
    compression: 'none',
    log: new LogLines(),
  });
}

it('publishes over TLS with a password and the least permissions, and says what it could not look at', async () => {
  const source = anySource();
  const { eventType, log, publisher } = await permitted(source);
  const session = await opened(publisher, source);
  onTestFinished(async () => session.close());
  await sendUntilStored(session, [batchOf([recordAt(source, eventType.change, 0, 1)])]);
  expect(log.lines.filter((line) => line.includes('allow DESCRIBE_CONFIGS'))).toHaveLength(2);
  expect(log.lines.join()).not.toContain(password);
  // Without the permission to read, the tail is unknown: duplicates are possible, and it says so.
  const second = await opened(publisher, source);
  onTestFinished(async () => second.close());
  expect(second.tails.size).toBe(0);
  expect(log.lines.some((line) => line.startsWith('warn tails unknown'))).toBe(true);
});

it('stops when a permission is taken away while it runs, and names the partition', async () => {
  const source = anySource();
  const { eventType, publisher } = await permitted(source);
  const session = await opened(publisher, source);
  onTestFinished(async () => session.close());
  await acl('--remove', ['--topic', eventType.change, '--operation', 'Write']);
  await expect(
    sendUntilStored(session, [batchOf([recordAt(source, eventType.change, 0, 1)])]),
  ).rejects.toMatchObject({
    code: 'SINK_AUTH_FAILED',
    message: `partition ${eventType.change}/0: TOPIC_AUTHORIZATION_FAILED`,
  });
});

it('names the transactional id when it may not use it', async () => {
  const source = anySource();
  const { publisher } = await permitted(source);
  const other = { ...source, slot: 'forbidden' };
  await expect(publisher.open(other)).rejects.toMatchObject({
    code: 'SINK_AUTH_FAILED',
    message: expect.stringContaining(transactionalIdOf(other)) as string,
  });
});

it('stops at a wrong password, without telling it', async () => {
  const wrong = secured({ sasl: { mechanism: 'plain', username: 'relay', password: 'guess-1' } });
  const opening = publisherWith(wrong).open(anySource());
  await expect(opening).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED' });
  await expect(opening).rejects.not.toThrow('guess-1');
});

it('stops at a certificate that nobody it trusts has signed', async () => {
  await expect(
    publisherWith(secured({ tls: { rejectUnauthorized: true } })).open(anySource()),
  ).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED' });
});

it('does not get through without TLS, and does not hang', async () => {
  await expect(publisherWith(secured({ tls: undefined })).open(anySource())).rejects.toMatchObject({
    code: 'SINK_UNAVAILABLE',
  });
});
