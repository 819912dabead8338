import {
  declaredTopics,
  planTopics,
  type ActualTopic,
  type DeclaredTopic,
  type TopicPlan,
} from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { advertisedBrokers, type Advertised } from './advertised-brokers.ts';
import { fault, ok, unknown, warning, type Finding } from './finding.ts';
import { canConnect } from './machine-checks.ts';

/** An address and why it cannot be reached; undefined: it can. */
export interface Reached {
  readonly address: string;
  readonly why: string | undefined;
}

/** The brokers as they are reached from here, then what the topics are against what they shall be. */
export async function kafkaChecks(
  connection: KafkaConnection,
  eventTypes: Parameters<typeof declaredTopics>[0],
): Promise<readonly Finding[]> {
  const answers = await Promise.all(
    connection.brokers.map(async (address) => {
      try {
        return { address, brokers: await advertisedBrokers(address, connection), why: undefined };
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        return { address, brokers: [] as readonly Advertised[], why: code ?? message };
      }
    }),
  );
  const wantsLogin = connection.sasl !== undefined;
  const advertised = answers.find(({ brokers }) => brokers.length > 0)?.brokers ?? [];
  const reached = await Promise.all(
    advertised.map(async ({ id, host, port }) => ({
      address: `${host}:${port} (broker ${id})`,
      why: await canConnect(host, port),
    })),
  );
  const findings = [
    // A broker that wants a login says nothing before it: then only the client library can tell.
    ...(wantsLogin && advertised.length === 0 ? [] : [judgeBootstrap(answers)]),
    ...(advertised.length > 0 ? [judgeAdvertised(reached)] : []),
  ];
  if (findings.some(({ level }) => level === 'fault')) return findings;
  let admin: KafkaAdmin;
  try {
    admin = await openKafkaAdmin(connection);
  } catch (error) {
    return [...findings, fault('kafka', messageOf(error), 'set what the message names')];
  }
  try {
    return [...findings, ...(await topicChecks(admin, declaredTopics(eventTypes)))];
  } catch (error) {
    return [...findings, unknown('topics', messageOf(error))];
  } finally {
    await admin.close().catch(() => undefined);
  }
}

/** Whether the brokers that the settings name answer. */
export function judgeBootstrap(answers: readonly Reached[]): Finding {
  const silent = answers.filter(({ why }) => why !== undefined);
  const list = silent.map(({ address, why }) => `${address} (${why})`).join(', ');
  if (silent.length === 0)
    return ok('kafka', `answers at ${answers.map(({ address }) => address).join(', ')}`);
  return silent.length === answers.length
    ? fault(
        'kafka',
        `no broker answers: ${list}`,
        'start Kafka, or correct OUTBOUND_KAFKA_BROKERS and OUTBOUND_KAFKA_TLS',
      )
    : warning(
        'kafka',
        `not all named brokers answer: ${list}`,
        'start them, or take them out of OUTBOUND_KAFKA_BROKERS',
      );
}

/** Whether the addresses that the brokers give to every client lead anywhere from here. */
export function judgeAdvertised(reached: readonly Reached[]): Finding {
  const lost = reached.filter(({ why }) => why !== undefined);
  if (lost.length === 0)
    return ok(
      'advertised listeners',
      `reachable from here: ${reached.map(({ address }) => address).join(', ')}`,
    );
  return fault(
    'advertised listeners',
    `the first connection works, but Kafka sends its clients to ${lost.map(({ address, why }) => `${address} (${why})`).join(', ')}`,
    'set advertised.listeners of that broker to an address that this machine reaches, or make the name resolve here',
  );
}

async function topicChecks(
  admin: KafkaAdmin,
  declared: readonly DeclaredTopic[],
): Promise<readonly Finding[]> {
  const { brokers } = await admin.brokers();
  const existing = new Set(await admin.topics());
  const actual: ActualTopic[] = [];
  for (const { topic, configs } of declared) {
    if (!existing.has(topic)) continue;
    const names = [...Object.keys(configs), 'min.insync.replicas', 'compression.type'];
    actual.push({
      topic,
      partitions: (await admin.topicRanges(topic)).length,
      replicationFactor: await admin.replicationFactor(topic),
      configs: Object.fromEntries(await admin.topicConfig(topic, names)),
    });
  }
  return judgeTopics(declared, planTopics(declared, actual, brokers.length), brokers.length);
}

/** One finding for each topic. */
export function judgeTopics(
  declared: readonly DeclaredTopic[],
  plan: TopicPlan,
  brokerCount: number,
): readonly Finding[] {
  const missing = new Set(plan.create.map(({ topic }) => topic));
  const findings = declared.map(({ topic, partitions, cleanupPolicy }): Finding => {
    const check = `topic ${topic}`;
    if (missing.has(topic))
      return fault(check, 'does not exist', "run provision (the relay's), which creates it");
    const drift = plan.drift.filter((field) => field.topic === topic);
    const says = drift
      .map(({ field, actual, declared: shall }) => `${field} is ${actual}, declared ${shall}`)
      .join('; ');
    if (drift.length === 0) return ok(check, `${partitions} partitions, ${cleanupPolicy}`);
    return drift.some(({ breaking }) => breaking)
      ? fault(
          check,
          says,
          'the relay refuses it: alter the topic, or make it anew under another name',
        )
      : warning(check, says, 'alter the topic with kafka-configs.sh, or change the declaration');
  });
  return brokerCount >= 3
    ? findings
    : [
        ...findings,
        warning(
          'brokers',
          `${brokerCount}, so a topic has ${brokerCount === 1 ? 'no copy' : 'one copy'}`,
          'good for trying; run three or more where the data matters',
        ),
      ];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
