import { randomUUID } from 'node:crypto';
import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { recordHeader } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import {
  subscribe,
  type BatchLimits,
  type GroupOptions,
  type HandleBatch,
  type HandleEvent,
  type Subscription,
  type TopicHandling,
} from '../src/index.ts';
import { makeTopic } from '../../../test/support/make-topic.ts';
import { note, noteValue, type Note, type NoteEvent } from './notes.ts';

export { gate } from './gate.ts';
export type { NoteEvent } from './notes.ts';

interface LogLine {
  readonly message: string;
  readonly fields: object;
}

type JoinOptions = Partial<GroupOptions> & { readonly groupId: string } & (
    | { readonly topic: string; readonly handle: HandleEvent<Note> }
    | {
        readonly topic: string;
        readonly handleBatch: HandleBatch<Note>;
        readonly batch?: BatchLimits;
      }
    | { readonly topics: readonly TopicHandling[] }
  );

/** A Kafka of one test file, and what its tests do with it. */
export interface TestGroups extends AsyncDisposable {
  readonly cluster: KafkaCluster;
  readonly admin: Admin;
  readonly producer: Producer;
  readonly kafka: Kafka;
  /** A topic of its own. */
  newTopic(options?: { partitions?: number; config?: Record<string, string> }): Promise<string>;
  /** Writes notes in this order; the partition is the key's, if none is given. */
  write(
    topic: string,
    notes: readonly (readonly [key: string, version: number])[],
    partition?: number,
  ): Promise<void>;
  /** Subscribes with short times; what it logs is in `lines`. */
  join(options: JoinOptions): Promise<Subscription & { readonly lines: LogLine[] }>;
  /** Committed offsets by partition; -1 where there is none. */
  committed(groupId: string, topic: string): Promise<number[]>;
  /** Stops every member; after each test. */
  stopMembers(): Promise<void>;
}

export async function startTestGroups(): Promise<TestGroups> {
  const cluster = await startKafka({});
  const connection: KafkaConnection = {
    brokers: cluster.directBootstrap,
    clientId: 'subscribe-test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5_000,
  };
  const kafka = new Kafka({ brokers: [...cluster.directBootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer({ idempotent: true });
  await Promise.all([admin.connect(), producer.connect()]);
  const members: Subscription[] = [];
  return {
    cluster,
    admin,
    producer,
    kafka,
    async newTopic({ partitions = 1, config = {} } = {}) {
      const topic = `t-${randomUUID()}`;
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
      await makeTopic(admin, { topic, numPartitions: partitions, configEntries });
      return topic;
    },
    async write(topic, notes, partition) {
      await producer.send({
        topic,
        messages: notes.map(([key, version]) => ({
          key,
          value: noteValue(key, version),
          headers: { [recordHeader.type]: note.name },
          ...(partition === undefined ? {} : { partition }),
        })),
      });
    },
    async join(options) {
      const lines: LogLine[] = [];
      const keep = (fields: object, message: string) => void lines.push({ fields, message });
      const common = {
        connection,
        sessionTimeoutMs: 6_000,
        rebalanceTimeoutMs: 20_000,
        commitIntervalMs: 50,
        retry: { attempts: 3, baseMs: 5, maxMs: 20 },
        log: { info: keep, warn: keep, error: keep },
      };
      const subscription = await ('topics' in options
        ? subscribe({ ...common, ...options })
        : subscribe({ ...common, eventType: note, ...options }));
      members.push(subscription);
      // A test that is not about the end must not be ended by it.
      subscription.done.catch(() => undefined);
      return Object.assign(subscription, { lines });
    },
    async committed(groupId, topic) {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return (found?.partitions ?? [])
        .sort((a, b) => a.partition - b.partition)
        .map(({ offset }) => Number(offset));
    },
    async stopMembers() {
      for (const each of members.splice(0)) await each.stop().catch(() => undefined);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      await cluster.close();
    },
  };
}

/** The versions of one key, in the order of their delivery. */
export function versionsOf(events: readonly NoteEvent[], key: string): (number | undefined)[] {
  return events.filter((each) => each.key === key).map(({ version }) => version);
}
