import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { Cluster } from '../cluster/cluster.ts';
import { TopicDirectory } from '../cluster/topic-directory.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode, unknownTopicOrPartition } from '../kafka-errors.ts';
import { partitionKey } from '../ports/partition.ts';
import { BatchProducer, type WrittenBatch } from './batch-producer.ts';
import { batchesOf } from './batches-of.ts';
import { newProducer } from './producer-identity.ts';
import type { RecordToWrite } from './record-to-write.ts';

/**
 * Appends records to one topic. For everybody but the relay: dead letters, and what a person sends by hand. Fences
 * nobody.
 */
export interface RecordSender {
  /** How many partitions the topic had at the start. */
  readonly partitions: number;
  /**
   * Resolves when every replica in sync has all of them. **Order**: within a partition as given, over all calls; a
   * call begins when the one before has ended. A batch is sent until it is confirmed, always the same one, so a
   * broker that moves or restarts costs time, and neither loses nor doubles a record.
   * @throws KafkaError after `withinMs` without a confirmation, or at once for a verdict (KAFKA_TOPIC_MISSING,
   * KAFKA_FORBIDDEN, KAFKA_REJECTED …): some of these records may be there. The sender is of no more use then, since
   * another batch must not get the number of one that may be stored; every later call is rejected.
   */
  send(records: readonly RecordToWrite[]): Promise<void>;
  /** Gives the connections up at once. Never rejects. */
  close(): Promise<void>;
}

export interface RecordSenderOptions {
  readonly connection: KafkaConnection;
  /** Must exist: no topic is created by writing. */
  readonly topic: string;
  /** The partition of a key; Java's is `partitionOf` of the schemas. */
  readonly partitionOf: (key: string | Buffer, partitions: number) => number;
  readonly log: KafkaLog;
  /** For how long one call may go on trying; default 60 s. */
  readonly withinMs?: number;
}

const passing: ReadonlySet<string> = new Set(['KAFKA_UNAVAILABLE', 'KAFKA_PARTITION_UNAVAILABLE']);
const replicationTimeoutMs = 3000;
/**
 * A topic that the cluster has not known for this long is not there; before, brokers may only not have heard of it
 * yet.
 */
const missingAfterMs = 3000;
const coordinatorWithinMs = 10_000;
const firstPauseMs = 50;
const longestPauseMs = 1000;

/**
 * An idempotent producer to a topic: acks = all, keys where `partitionOf` puts them, records without a key round the
 * partitions by batch.
 * @throws KafkaError KAFKA_TOPIC_MISSING, KAFKA_UNAVAILABLE, KAFKA_AUTH_FAILED, KAFKA_FORBIDDEN
 */
export async function openRecordSender(options: RecordSenderOptions): Promise<RecordSender> {
  const cluster = new Cluster(options.connection, options.log);
  try {
    const directory = new TopicDirectory(cluster, [options.topic]);
    const partitions = await partitionCount(directory, options.topic);
    const identity = await newProducer(cluster, coordinatorWithinMs);
    const producer = new BatchProducer({ identity, replicationTimeoutMs });
    return new TopicSender(options, partitions, { directory, producer });
  } catch (thrown) {
    cluster.close();
    throw thrown;
  }
}

async function partitionCount(directory: TopicDirectory, topic: string): Promise<number> {
  for (;;) {
    await directory.refresh();
    const summary = directory.summary(topic);
    if (summary) return summary.partitions;
    if ((directory.unknownForMs(topic) ?? 0) >= missingAfterMs) throw missing(topic);
    await delay(100);
  }
}

class TopicSender implements RecordSender {
  readonly partitions: number;
  readonly #options: RecordSenderOptions;
  readonly #directory: TopicDirectory;
  readonly #producer: BatchProducer;
  #last: Promise<void> = Promise.resolve();
  #keyless = 0;

  constructor(
    options: RecordSenderOptions,
    partitions: number,
    parts: { readonly directory: TopicDirectory; readonly producer: BatchProducer },
  ) {
    this.#options = options;
    this.partitions = partitions;
    this.#directory = parts.directory;
    this.#producer = parts.producer;
  }

  async send(records: readonly RecordToWrite[]): Promise<void> {
    // A call that failed fails every later one, too.
    const mine = this.#last.then(() => this.#send(records));
    this.#last = mine;
    mine.catch(() => undefined);
    return mine;
  }

  close(): Promise<void> {
    this.#directory.cluster.close();
    return Promise.resolve();
  }

  async #send(records: readonly RecordToWrite[]): Promise<void> {
    const { topic, partitionOf, withinMs = 60_000 } = this.#options;
    const keyless = this.#keyless++ % this.partitions;
    const queues = batchesOf(records, ({ key }) =>
      key === null ? keyless : partitionOf(key, this.partitions),
    );
    const deadlineMs = performance.now() + withinMs;
    for (let round = 0; ; round += 1) {
      const batches = Array.from(queues).flatMap(([partition, queue]): WrittenBatch[] => {
        const batch = queue[round];
        return batch ? [{ topic, partition, records: batch }] : [];
      });
      if (batches.length === 0) return;
      await this.#store(batches, deadlineMs);
    }
  }

  /** Sends one batch of each partition until all are stored. */
  async #store(batches: readonly WrittenBatch[], deadlineMs: number): Promise<void> {
    let left = batches;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const failures = new Map<WrittenBatch, KafkaError>();
      await Promise.all(
        this.#byLeader(left, failures).map(([leader, group]) =>
          this.#request(leader, group, failures),
        ),
      );
      const verdict = [...failures.values()].find(({ code }) => !passing.has(code));
      if (verdict) throw verdict;
      left = left.filter((batch) => failures.has(batch));
      const [failure] = failures.values();
      if (!failure) return;
      if (performance.now() + pauseMs > deadlineMs) throw failure;
      await delay(pauseMs);
      // Its failure is the next request's.
      await this.#directory.refresh().catch(() => undefined);
    }
  }

  #byLeader(
    batches: readonly WrittenBatch[],
    failures: Map<WrittenBatch, KafkaError>,
  ): [leader: number, WrittenBatch[]][] {
    const groups = new Map<number, WrittenBatch[]>();
    for (const batch of batches) {
      const leader = this.#directory.leaderOf(batch.topic, batch.partition);
      const group = groups.get(leader);
      if (leader < 0)
        failures.set(
          batch,
          new KafkaError(
            'KAFKA_PARTITION_UNAVAILABLE',
            `partition ${partitionKey(batch)} has no leader`,
          ),
        );
      else if (group) group.push(batch);
      else groups.set(leader, [batch]);
    }
    return Array.from(groups).flatMap(([leader, group]) =>
      inRequests(group).map((request): [number, WrittenBatch[]] => [leader, request]),
    );
  }

  async #request(
    leader: number,
    batches: readonly WrittenBatch[],
    failures: Map<WrittenBatch, KafkaError>,
  ): Promise<void> {
    try {
      const link = this.#directory.cluster.link(leader);
      for (const { batch, isStored, answer } of await this.#producer.send(link, batches)) {
        if (isStored) continue;
        const what = `partition ${partitionKey(batch)}`;
        const isGone =
          answer?.code === unknownTopicOrPartition &&
          (this.#directory.unknownForMs(batch.topic) ?? 0) >= missingAfterMs;
        if (isGone) failures.set(batch, missing(batch.topic));
        else if (answer) failures.set(batch, errorFromCode(answer.code, what, answer.detail));
        else
          failures.set(
            batch,
            new KafkaError('KAFKA_UNAVAILABLE', `broker ${leader} says nothing of ${what}`),
          );
      }
    } catch (thrown) {
      if (!(thrown instanceof KafkaError)) throw thrown;
      for (const batch of batches) failures.set(batch, thrown);
    }
  }
}

/**
 * Some 12 MB at the most: a broker closes the connection at a request above `socket.request.max.bytes` (100 MiB)
 * without a word.
 */
function inRequests(batches: readonly WrittenBatch[]): WrittenBatch[][] {
  const requests: WrittenBatch[][] = [];
  for (let from = 0; from < batches.length; from += 24)
    requests.push(batches.slice(from, from + 24));
  return requests;
}

function missing(topic: string): KafkaError {
  return new KafkaError('KAFKA_TOPIC_MISSING', `topic ${topic} does not exist`);
}
