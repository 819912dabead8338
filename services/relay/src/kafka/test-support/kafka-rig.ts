import { randomBytes } from 'node:crypto';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { openKafkaAdmin } from '@outbound/kafka';
import type { KafkaCluster } from '@outbound/local-stack';
import {
  changeRoute,
  declaredTopics,
  defineEventType,
  stateRoute,
  type EventType,
} from '@outbound/contract';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { z } from 'zod';
import { toRelayError } from '../../errors.ts';
import { eventually } from '../../../../../test/support/eventually.ts';
import type { Lsn } from '../../wal/lsn.ts';
import {
  sourceFingerprint,
  sourcePositionToText,
  type SourceIdentity,
} from '../../wal/source-position.ts';
import { KafkaPublisher, type KafkaPublisherOptions } from '../kafka-publisher.ts';
import type { KafkaSession } from '../kafka-session.ts';
import type { OutboundRecord } from '../outbound-record.ts';
import { laneKey, type Delivery, type LaneBatch, type PublisherSession } from '../publisher.ts';
import { provisionTopics } from '../topic-provision.ts';

/** Keeps what was logged, to be looked at. */
export class LogLines implements KafkaLog {
  readonly lines: string[] = [];
  readonly info = (fields: object, message: string) => this.#keep('info', fields, message);
  readonly warn = (fields: object, message: string) => this.#keep('warn', fields, message);
  readonly error = (fields: object, message: string) => this.#keep('error', fields, message);
  #keep(level: string, fields: object, message: string): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  }
}

export function connectionTo(brokers: readonly string[]): KafkaConnection {
  return {
    brokers,
    clientId: 'relay-test',
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
  };
}

/** A source that no other test has, so that tests fence nobody but themselves. */
export function anySource(): SourceIdentity {
  return {
    systemIdentifier: randomBytes(8).toString('hex'),
    timeline: 1,
    database: 'shop',
    slot: 'relay',
  };
}

let topics = 0;

/** An event type with topics of its own: `change` (time-retained) and `state` (compacted). */
export function anyEventType(partitions = 1): EventType & { change: string; state: string } {
  topics += 1;
  const name = `test${process.pid}.n${topics}`;
  const change = `${name}.change`;
  const state = `${name}.state`;
  const retention = { partitions, retentionMs: 7 * 86_400_000 };
  return {
    ...defineEventType({
      name,
      category: 'data',
      owner: 'test',
      audience: 'component-internal',
      version: '1.0.0',
      dataType: name,
      value: z.unknown(),
      orderingKeyFields: ['data.version'],
      orderingInstanceIds: ['data.id'],
      compatibilityMode: 'compatible',
      routes: [changeRoute(change, retention), stateRoute(state, retention)],
    }),
    change,
    state,
  };
}

/** Topics made from their declarations, and a publisher to them. */
export async function provisioned(
  kafka: KafkaCluster,
  eventTypes: readonly EventType[],
  over: Partial<KafkaPublisherOptions> = {},
): Promise<KafkaPublisher> {
  const log = over.log ?? new LogLines();
  const connection = over.connection ?? connectionTo(kafka.bootstrap);
  const declared = declaredTopics(eventTypes);
  await provisionTopics(connection, declared, log);
  // A broker is told that it leads a partition a moment before it takes records for it.
  const admin = await openKafkaAdmin(connection, log);
  for (const { topic } of declared) await eventually(() => admin.topicRanges(topic));
  await admin.close();
  return new KafkaPublisher({ connection, eventTypes, compression: 'none', log, ...over });
}

export async function opened(
  publisher: KafkaPublisher,
  source: SourceIdentity,
): Promise<KafkaSession> {
  return (await publisher.open(source)) as KafkaSession;
}

/** A broker removes what is older than the topic's retention, half a minute after it has started: a date that is written down has its day. */
const beganMs = Date.now();

/** A record at `position` of `source`, with the header that says so. */
export function recordAt(
  source: SourceIdentity,
  topic: string,
  partition: number,
  lsn: number,
  over: Partial<OutboundRecord> = {},
): OutboundRecord {
  const position = { commitLsn: BigInt(lsn) as Lsn, index: 0 };
  return {
    topic,
    partition,
    key: `key-${lsn}`,
    value: Buffer.from(`{"n":${lsn}}`),
    headers: {
      ce_id: `event-${lsn}`,
      source_lsn: sourcePositionToText(position, sourceFingerprint(source)),
    },
    position,
    timestampMs: beganMs + lsn,
    ...over,
  };
}

export function batchOf(records: readonly OutboundRecord[]): LaneBatch {
  const [first] = records;
  if (!first) throw new Error('a batch has at least one record');
  return { topic: first.topic, partition: first.partition, records };
}

/** Sends until everything is confirmed, always the same batches, as the core does. Errors that no retry cures are thrown. */
export async function sendUntilStored(
  session: PublisherSession,
  batches: readonly LaneBatch[],
): Promise<Delivery[]> {
  const stored = new Map<string, Delivery>();
  await eventually(
    async () => {
      const missing = batches.filter(
        ({ topic, partition }) => !stored.has(laneKey(topic, partition)),
      );
      try {
        for (const answer of await session.send(missing)) {
          const lane = laneKey(answer.topic, answer.partition);
          if ('refusal' in answer) return new Error(`${lane} refuses a batch: ${answer.refusal}`);
          stored.set(lane, answer);
        }
      } catch (thrown) {
        const error = toRelayError(thrown);
        if (!['SINK_UNAVAILABLE', 'SINK_PARTITION_UNAVAILABLE'].includes(error.code)) return error;
        throw error;
      }
      return stored.size === batches.length;
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  ).then((outcome) => {
    if (outcome instanceof Error) throw outcome;
  });
  return [...stored.values()];
}

/** A record as another client reads it. */
export type ReadRecord = KafkaMessage & { readonly partition: number };

/**
 * Everything in a topic, read by kafkajs' consumer (uncommitted included), per partition in order. Of a compacted topic, what is left.
 */
export async function readTopic(brokers: readonly string[], topic: string): Promise<ReadRecord[]> {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  // A broker that has just come back leads nothing yet, and kafkajs asks once.
  const offsets = await eventually(() => admin.fetchTopicOffsets(topic), { timeoutMs: 30_000 });
  const ends = new Map(
    offsets
      .filter(({ low, high }) => BigInt(high) > BigInt(low))
      .map(({ partition, high }) => [partition, BigInt(high)]),
  );
  await admin.disconnect();
  const records: ReadRecord[] = [];
  if (ends.size === 0) return records;
  const consumer = client.consumer({
    groupId: `reader-${randomBytes(6).toString('hex')}`,
    readUncommitted: true,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: async ({ batch }) => {
          const end = ends.get(batch.partition);
          for (const message of batch.messages)
            records.push({ ...message, partition: batch.partition });
          if (end !== undefined && BigInt(batch.lastOffset()) >= end - 1n)
            ends.delete(batch.partition);
          if (ends.size === 0) resolve();
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return records.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
}
