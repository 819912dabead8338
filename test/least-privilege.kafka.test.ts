import {
  ConsumerError,
  createMemoryParkedKeys,
  openKafkaRedrive,
  redriveTopic,
  subscribe,
} from '@outbound/consumer';
import { openKafkaAdmin, openKafkaReads, openRecordSender } from '@outbound/kafka';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { deadLetterTopics, declaredTopics, partitionOf } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
  type Admin,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  aclArguments,
  aclsScript,
  defaultPrincipals,
} from '../packages/cli/src/acls/acls-script.ts';
import {
  kafkaRights,
  type KafkaOperation,
  type KafkaRight,
  type KafkaRole,
} from '../packages/cli/src/acls/kafka-rights.ts';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { toRelayError } from '../services/relay/src/errors.ts';
import { KafkaPublisher } from '../services/relay/src/kafka/kafka-publisher.ts';
import {
  anyEventType,
  anySource,
  batchOf,
  connectionTo,
  LogLines,
  opened,
  recordAt,
  sendUntilStored,
} from '../services/relay/src/kafka/test-support/kafka-rig.ts';
import { provisionTopics } from '../services/relay/src/kafka/topic-provision.ts';
import { Authority } from './support/authority.ts';
import { listenerCertificate } from './support/broker-certificate.ts';
import type { Certificate } from './support/certificate.ts';
import { eventually } from './support/eventually.ts';
import { startFaultProxy, type FaultProxy } from './support/fault-proxy.ts';
import { makeTopic } from './support/make-topic.ts';

/*
 * Real brokers that give nobody anything by themselves (StandardAuthorizer), principals by mutual TLS, and the rights that `outbound acls` prints, given by Kafka's own tool: everything
 * works with exactly these, and with one of them less something fails and says which.
 */

const type = anyEventType();
const eventTypes = new Map([[type.name, type]]);
const own = deadLetterTopics('');
const declared = [...declaredTopics(eventTypes.values()), own.deadLetters, own.parkedKeys];
const source = { ...anySource(), slot: 'least' };
const group = 'billing';
const letters = 'billing.dead-letters';
const rights = kafkaRights({
  eventTypes,
  topicPrefix: '',
  slot: source.slot,
  groups: [{ group, topics: [type.change], deadLetters: letters }],
});

const authority = new Authority();
const certificates = new Map<KafkaRole, Certificate>(
  (['relay', 'provision', 'operator', 'consumer'] as const).map((role) => [
    role,
    authority.issue({ name: `outbound-${role}` }),
  ]),
);
let kafka: KafkaCluster;
let proxy: FaultProxy;
let admin: Admin;

beforeAll(async () => {
  kafka = await startKafka({
    brokers: 1,
    // With an endpoint of its own for clients, the cluster keeps a plain one for itself and its tools.
    advertise: async ({ host, port }) => {
      await proxy?.close();
      proxy = await startFaultProxy({ host, port });
      return { host: proxy.host, port: proxy.port };
    },
    settings: {
      'listener.security.protocol.map':
        'CLIENT:SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT',
      ...listenerCertificate(authority.issue({ name: 'broker' })),
      'listener.name.client.ssl.client.auth': 'required',
      'listener.name.client.ssl.truststore.type': 'PEM',
      'listener.name.client.ssl.truststore.certificates': authority.cert,
      'listener.name.client.ssl.principal.mapping.rules': 'RULE:^CN=(.*?)$/$1/',
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': 'false',
      'super.users': 'User:ANONYMOUS',
    },
  });
  admin = new Kafka({ brokers: kafka.directBootstrap, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin?.disconnect();
  await kafka?.close();
  await proxy?.close();
  authority[Symbol.dispose]();
});

function as(role: KafkaRole): KafkaConnection {
  const { cert, key } = certificates.get(role) ?? { cert: '', key: '' };
  return {
    ...connectionTo(kafka.bootstrap),
    tls: { ca: authority.cert, cert, key, rejectUnauthorized: true },
  };
}

/** Everything that a role does with Kafka, once; gives what it was told that was not right. */
const doings: Readonly<Record<KafkaRole, () => Promise<string>>> = {
  provision: async () => {
    const log = new LogLines();
    const told = await provisionTopics(as('provision'), declared, log).then(() => '', messageOf);
    return [told, ...log.lines.filter((line) => line.startsWith('warn'))].join('\n').trim();
  },
  relay: async () => {
    const log = new LogLines();
    const publisher = new KafkaPublisher({
      ...{ connection: as('relay'), eventTypes: [type], deadLetters: own },
      ...{ compression: 'none', log },
    });
    let told = '';
    try {
      const session = await opened(publisher, source);
      const records = declared.map(({ topic }) =>
        batchOf([recordAt(source, topic, 0, (position += 1))]),
      );
      for (const batch of records)
        await sendUntilStored(session, [batch]).catch(
          (thrown: unknown) => (told += messageOf(thrown)),
        );
      await session.close();
    } catch (thrown) {
      told += messageOf(thrown);
    }
    return [told, ...log.lines.filter((line) => line.startsWith('warn'))].join('\n').trim();
  },
  consumer: async () => {
    const log = new LogLines();
    let told = '';
    const subscription = await subscribe({
      ...{ connection: as('consumer'), eventType: type, topic: type.change, groupId: group, log },
      ...{ sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 20_000, commitIntervalMs: 50 },
      retry: { attempts: 1, baseMs: 5, maxMs: 20 },
      onPoison: {
        then: 'dead-letter',
        topic: letters,
        laterEvents: { policy: 'park', keys: createMemoryParkedKeys() },
      },
      handle: () => undefined,
    });
    const ended = subscription.done.catch((thrown: unknown) => (told += messageOf(thrown)));
    const seen = () =>
      [told, ...log.lines.filter((line) => /^(warn|error)/.test(line))].join('\n').trim();
    try {
      const before = await committed();
      // No event: it goes to the dead letters, and what was committed behind it shows that it got there.
      await write(type.change);
      await eventually(
        async () => told !== '' || /AUTHORIZATION/.test(seen()) || (await committed()) > before,
        { timeoutMs: 30_000 },
      );
    } finally {
      // Else the group has a member for ever, and nobody could set it back.
      await subscription.stop().catch(() => undefined);
      await ended;
    }
    // What a member does now and then: it looks whether somebody asks for a redrive.
    const redrive = await openKafkaRedrive({ connection: as('consumer'), topic: letters, log });
    await redrive.look().catch((thrown: unknown) => (told += messageOf(thrown)));
    await redrive.close();
    return /AUTHORIZATION/.test(seen()) ? seen() : told;
  },
  operator: async () => {
    const { tls } = as('operator') as { tls: { ca: string; cert: string; key: string } };
    const env = {
      OUTBOUND_KAFKA_BROKERS: kafka.bootstrap.join(','),
      OUTBOUND_KAFKA_TLS: 'true',
      OUTBOUND_KAFKA_TLS_CA: tls.ca,
      OUTBOUND_KAFKA_TLS_CERT: tls.cert,
      OUTBOUND_KAFKA_TLS_KEY: tls.key,
    };
    const told: string[] = [];
    for (const argv of [
      ['tail', type.change, '-e'],
      ['tail', own.deadLetters.topic, '-e'],
      ['tail', letters, '-e'],
      ['tail', type.state, '-e'],
      ['dead-letters', 'redrive', '--topic', letters, '--all', '--yes'],
    ]) {
      const run = await outbound(argv, { env });
      if (/^outbound: [A-Z_]+:/m.test(run.err))
        told.push(`${argv.join(' ')}: ${run.code} ${run.err}`);
    }
    // What replay and doctor do, which need a database beside.
    const kafkaAdmin = await openKafkaAdmin(as('operator'), new LogLines());
    for (const topic of [type.change, own.deadLetters.topic, letters])
      await kafkaAdmin
        .topicConfig(topic, ['cleanup.policy'])
        .catch((thrown: unknown) => told.push(messageOf(thrown)));
    const position = [{ partition: 0, offset: 0n }];
    await kafkaAdmin
      .setGroupOffsets(group, type.change, position)
      .catch((thrown: unknown) => told.push(`group ${group}: ${messageOf(thrown)}`));
    await kafkaAdmin.close();
    await openRecordSender({
      ...{ connection: as('operator'), topic: type.change, partitionOf, log: new LogLines() },
    })
      .then(async (sender) => {
        const record = {
          key: Buffer.from('replayed'),
          value: Buffer.from('no event'),
          headers: [],
        };
        await sender
          .send([{ ...record, timestampMs: Date.now() }])
          .catch((thrown: unknown) => told.push(messageOf(thrown)));
        await sender.close();
      })
      .catch((thrown: unknown) => told.push(messageOf(thrown)));
    return told.join('\n');
  },
};

let position = 0;

/** What is no event, written by a super user. */
async function write(topic: string): Promise<void> {
  const brokers = kafka.directBootstrap;
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ key: `k${(position += 1)}`, value: 'no event' }] });
  await producer.disconnect();
}

async function committed(): Promise<number> {
  const [found] = await admin.fetchOffsets({ groupId: group, topics: [type.change] });
  return Number(found?.partitions[0]?.offset ?? -1);
}

/** Comes back when the role does all of it: a group may still have a member, and brokers hear of a right a moment later. */
async function works(role: KafkaRole): Promise<void> {
  await eventually(
    async () => {
      const told = await doings[role]();
      if (told !== '') throw new Error(`${role}: ${told}`);
      return true;
    },
    { timeoutMs: 120_000 },
  );
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof ConsumerError) return `${thrown.code}: ${thrown.message}`;
  const { code, message } = toRelayError(thrown);
  return `${code}: ${message}`;
}

/** Takes one operation of a right from its role, or gives it back. */
async function allow(
  right: KafkaRight,
  operation: KafkaOperation,
  isAllowed: boolean,
): Promise<void> {
  const kinds = {
    topic: AclResourceTypes.TOPIC,
    group: AclResourceTypes.GROUP,
    'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
  };
  const operations: Record<KafkaOperation, AclOperationTypes> = {
    Create: AclOperationTypes.CREATE,
    Describe: AclOperationTypes.DESCRIBE,
    DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
    Read: AclOperationTypes.READ,
    Write: AclOperationTypes.WRITE,
  };
  const entries = right.names.map((resourceName) => ({
    resourceName,
    resourceType: kinds[right.resource],
    resourcePatternType:
      right.pattern === 'literal' ? ResourcePatternTypes.LITERAL : ResourcePatternTypes.PREFIXED,
    principal: defaultPrincipals[right.role],
    host: '*',
    operation: operations[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }));
  if (isAllowed) await admin.createAcls({ acl: entries });
  else await admin.deleteAcls({ filters: entries });
}

it('without rights nobody does anything, and each says what it lacks', async () => {
  for (const role of ['provision', 'relay'] as const)
    expect(await doings[role](), role).toMatch(/SINK_(AUTH_FAILED|TOPIC_MISSING)/);
});

it('the script that the command line prints gives them, by the tool of Kafka', async () => {
  const lines = aclsScript(rights, defaultPrincipals).split('\n');
  const commands = lines.filter((line) => line.startsWith('"${KAFKA_ACLS'));
  expect(commands).toHaveLength(rights.length);
  await Promise.all(
    rights.map(async (right) => {
      const args = aclArguments(right, defaultPrincipals);
      expect(
        commands.some((line) => line.endsWith(args.join(' '))),
        args.join(' '),
      ).toBe(true);
      expect(await kafka.tool('acls', args, { timeoutMs: 150_000 })).toMatchObject({ code: 0 });
    }),
  );
});

it('with exactly these everything works', async () => {
  expect(await doings.provision()).toBe('');
  await makeTopic(admin, { topic: letters, numPartitions: 1 });
  const journal = { topic: redriveTopic(letters), numPartitions: 1 };
  await makeTopic(admin, journal);
  // Of nobody: only where there is something to read does it take the right to read.
  await write(journal.topic);
  for (const role of ['relay', 'consumer', 'operator', 'provision'] as const) await works(role);
});

describe('with one right less', () => {
  const each = rights.flatMap((right) =>
    right.operations.map((operation) => ({ right, operation })),
  );
  it.each(
    each.map(
      ({ right, operation }) => [right.role, operation, right.resource, right.why, right] as const,
    ),
  )('the %s without %s on %s (%s) says so', async (role, operation, _resource, _why, right) => {
    // Not the relay's journal, which it does not take for the same when it is made again.
    const toMake = right.role === 'provision' ? type.state : (right.names.at(-1) ?? '');
    if (operation === 'Create') await admin.deleteTopics({ topics: [toMake] });
    await allow(right, operation, false);
    try {
      const told = await eventually(
        async () => {
          const said = await doings[role]();
          if (right.names.some((name) => said.includes(name))) return said;
          throw new Error(`it says: ${said}`);
        },
        { timeoutMs: 60_000 },
      );
      expect(told).toMatch(
        /AUTHORIZ|AUTH_FAILED|FORBIDDEN|DESCRIBE_CONFIGS|unknown|MISSING|did not take/,
      );
    } finally {
      await allow(right, operation, true);
    }
  });
});

it('and with them given back everything works again', async () => {
  for (const role of ['provision', 'relay', 'consumer', 'operator'] as const) await works(role);
});

it.each(['relay', 'consumer'] as const)(
  'the %s has nothing of what it was not given',
  async (role) => {
    await admin
      .createTopics({ topics: [{ topic: 'foreign' }], waitForLeaders: false })
      .catch(() => undefined);
    const reads = await openKafkaReads(as(role), new LogLines());
    expect((await reads.log.topics(['foreign']))[0]?.errorCode).toBe(29);
    await reads.close();
    const foreign = { connection: as(role), topic: 'foreign', partitionOf, log: new LogLines() };
    await expect(openRecordSender(foreign)).rejects.toMatchObject({ code: 'KAFKA_FORBIDDEN' });
  },
);
