import { setTimeout as delay } from 'node:timers/promises';
import {
  Cluster,
  explainConcurrent,
  fence,
  firstReservedEpoch,
  gzipCompression,
  KafkaError,
  takeProducer,
  TopicDirectory,
  Transactions,
  type FenceMemory,
  type ProducerIdentity,
  type ProducerQuestions,
  type TopicPartition,
} from '@outbound/kafka';
import { systemClock, type KafkaConnection, type KafkaLog } from '@outbound/service-kit';
import {
  declaredTopics,
  topicDrift,
  type DeadLetterTopics,
  type DeclaredTopic,
  type EventType,
} from '@outbound/contract';
import { RelayError, toRelayError } from '../errors.ts';
import { noLsn, type Lsn } from '../wal/lsn.ts';
import { sourceFingerprint, type SourceIdentity } from '../wal/source-position.ts';
import { KafkaSession, sessionTiming, type SessionTiming } from './kafka-session.ts';
import type { Publisher, PublisherSession } from './publisher.ts';
import { ParkedKeys } from '../poison/parked-keys.ts';
import { loadParkedKeys } from './parked-keys-reader.ts';
import { readCommittedTails } from './committed-tails.ts';
import { readTails } from './tail-reader.ts';
import type { Tail } from './tail.ts';
import { readTopics, refuseBreaking } from './topic-state.ts';
import { transactionalIdOf } from './transactional-id.ts';
import { TransactionalSession, type TransactionalSessionParts } from './transactional-session.ts';

export interface KafkaPublisherOptions {
  readonly connection: KafkaConnection;
  /** Their routes name the topics, prefix included. */
  readonly eventTypes: Iterable<EventType>;
  readonly compression: 'none' | 'gzip';
  /** Default: at least once. */
  readonly delivery?: Delivery;
  /** Where poison goes; they are checked as the other topics are. */
  readonly deadLetters?: DeadLetterTopics | undefined;
  readonly log: KafkaLog;
  /** Told after each question to the cluster, sends apart: why nobody answered, or undefined. Must not throw. */
  readonly onAsked?: (error: RelayError | undefined) => void;
  /** Told while a transaction waits: see `TransactionalSessionParts`. */
  readonly onWaiting?: TransactionalSessionParts['onWaiting'];
  readonly timing?: SessionTiming;
  /** First sequence of every partition; only a test of the wrap sets it. */
  readonly firstSequence?: number;
}

/** `exactly-once`: a read-committed reader sees no record twice, whatever becomes of relays (ADR 5). */
export type Delivery = 'at-least-once' | 'exactly-once';

/** How long a topic may be unknown at the start before it is missing: a broker that has just come up hears of topics a moment later. */
const topicGraceMs = 3000;
const coordinatorWithinMs = 10_000;
/** After this the coordinator aborts a transaction of a relay that is gone; until then its readers wait, if no other relay comes. */
const transactionTimeoutMs = 30_000;
const storeWithinMs = 15_000;

/** The real `Publisher`: opens sessions to a Kafka cluster. */
export class KafkaPublisher implements Publisher {
  readonly #options: KafkaPublisherOptions;
  /** Topics that event types are routed to. */
  readonly #routed: readonly DeclaredTopic[];
  readonly #declared: readonly DeclaredTopic[];
  /** By transactional id. */
  readonly #fences = new Map<string, FenceMemory>();

  constructor(options: KafkaPublisherOptions) {
    this.#options = options;
    const { eventTypes, deadLetters } = options;
    this.#routed = declaredTopics(eventTypes);
    this.#declared = deadLetters
      ? [...this.#routed, deadLetters.deadLetters, deadLetters.parkedKeys]
      : this.#routed;
  }

  /**
   * Order: topics are checked first, so that a wrong configuration fences nobody; then older sessions are fenced; then tails are read,
   * so that what an older session still appends can only come before our own first record of a partition.
   */
  async open(identity: SourceIdentity, startLsn: Lsn = noLsn): Promise<PublisherSession> {
    const { connection, log, delivery = 'at-least-once' } = this.#options;
    const topics = this.#declared.map(({ topic }) => topic);
    const directory = new TopicDirectory(new Cluster(connection, log), topics);
    try {
      await this.#checkTopics(directory);
      const transactionalId = transactionalIdOf(identity);
      const fingerprint = sourceFingerprint(identity);
      // Not of the dead letters, which are sent again after a restart: an event that is parked for another reason than before must get there.
      const tailed = partitionsOf(this.#routed);
      const isExact = delivery === 'exactly-once';
      const producer = await this.#takeProducer(directory.cluster, transactionalId);
      const tails = isExact
        ? await readCommittedTails(directory, tailed, fingerprint, log)
        : await readTails(directory, tailed, fingerprint, log);
      const { deadLetters } = this.#options;
      const parked = deadLetters && new ParkedKeys(startLsn);
      log.info(
        {
          component: 'kafka',
          transactionalId,
          delivery,
          producerId: String(producer.producerId),
          producerEpoch: producer.producerEpoch,
          brokers: directory.cluster.brokerCount,
          tails: tails.size,
        },
        'producer open, older ones fenced',
      );
      const session = this.#session(directory, { transactionalId, producer, tails, parked });
      if (deadLetters && parked)
        await loadParkedKeys(session, directory, deadLetters.parkedKeys, {
          parked,
          fingerprint,
          isFenced: isExact,
          // In either mode by whoever must know: a partition that cannot be read has perhaps letters, and a relay before us may have written them in transactions.
          letterLanes: async () => {
            const lanes = partitionsOf([deadLetters.deadLetters]);
            return (await readCommittedTails(directory, lanes, fingerprint, log)).size;
          },
        }).catch(async (thrown: unknown) => {
          await session.close();
          throw thrown;
        });
      return session;
    } catch (thrown) {
      directory.cluster.close();
      throw toRelayError(thrown);
    }
  }

  /**
   * Exactly once, every partition of ours has refused all older producers when this resolves, before our first write: an empty
   * transaction over all of them is aborted by the next epoch, whose markers say so. So nothing can be appended behind a tail that was
   * read, also by a relay that sends plain batches. (A coordinator tells that an abort is through, and not that a commit is.) In either
   * mode the same is done before a producer id ends (`takeProducer`).
   */
  async #takeProducer(cluster: Cluster, transactionalId: string): Promise<ProducerIdentity> {
    const { log, delivery } = this.#options;
    const partitions = partitionsOf(this.#declared);
    const questions: ProducerQuestions = {
      take: () => fence(cluster, transactionalId, coordinatorWithinMs, transactionTimeoutMs),
      addEverywhere: async (identity) => {
        if (identity.producerEpoch >= firstReservedEpoch)
          log.info(
            { component: 'kafka', transactionalId, ...textOf(identity) },
            'the epochs of a producer id end: another one is asked for, which takes a moment',
          );
        const { signal } = new AbortController();
        await new Transactions({
          ...{ cluster, transactionalId, identity, withinMs: coordinatorWithinMs, signal },
        })
          .add(partitions)
          .catch((thrown: unknown) => {
            throw notFencedYet(thrown);
          });
      },
      onUnfenced: (identity) =>
        log.warn(
          { component: 'kafka', transactionalId, ...textOf(identity) },
          'a producer id has ended, and it is not known that every partition refuses it: a relay that stood still since then could still append something old; if one did, outbound verify shows it',
        ),
    };
    const memory = this.#fences.get(transactionalId) ?? {};
    this.#fences.set(transactionalId, memory);
    try {
      return await takeProducer(questions, { fencesFirst: delivery === 'exactly-once', memory });
    } catch (thrown) {
      throw thrown instanceof KafkaError
        ? await explainConcurrent(cluster, transactionalId, thrown)
        : thrown;
    }
  }

  #session(
    directory: TopicDirectory,
    {
      transactionalId,
      producer,
      ...read
    }: {
      readonly transactionalId: string;
      readonly producer: ProducerIdentity;
      readonly tails: ReadonlyMap<string, Tail>;
      readonly parked: ParkedKeys | undefined;
    },
  ): PublisherSession {
    const { log, compression, delivery, timing = sessionTiming, firstSequence } = this.#options;
    const isExact = delivery === 'exactly-once';
    const session = new KafkaSession({
      directory,
      identity: producer,
      ...read,
      partitionCounts: new Map(this.#declared.map(({ topic, partitions }) => [topic, partitions])),
      timing,
      log,
      onAsked: this.#options.onAsked ?? (() => undefined),
      compression: compression === 'gzip' ? gzipCompression : undefined,
      ...(isExact ? { transactionalId } : {}),
      ...(firstSequence === undefined ? {} : { firstSequence }),
    });
    if (!isExact) return session;
    const closing = new AbortController();
    return new TransactionalSession({
      session,
      transactions: new Transactions({
        cluster: directory.cluster,
        transactionalId,
        identity: producer,
        withinMs: storeWithinMs,
        signal: closing.signal,
      }),
      onWaiting: this.#options.onWaiting ?? (() => undefined),
      clock: systemClock,
      storeWithinMs,
      closing,
    });
  }

  async #checkTopics(directory: TopicDirectory): Promise<void> {
    const { log } = this.#options;
    const topics = this.#declared.map(({ topic }) => topic);
    const deadline = performance.now() + topicGraceMs;
    for (;;) {
      await directory.refresh();
      const missing = topics.filter((topic) => !directory.summary(topic));
      if (missing.length === 0) break;
      if (performance.now() > deadline)
        throw new RelayError('SINK_TOPIC_MISSING', `topics do not exist: ${missing.join(', ')}`);
      await delay(200);
    }
    const actual = new Map(
      (await readTopics(directory, topics, log)).map((topic) => [topic.topic, topic]),
    );
    const drift = this.#declared.flatMap((declared) => {
      const found = actual.get(declared.topic);
      return found ? topicDrift(declared, found, directory.cluster.brokerCount) : [];
    });
    for (const { breaking, ...fields } of drift)
      if (!breaking)
        log.warn({ component: 'kafka', ...fields }, 'a topic differs from its declaration');
    refuseBreaking(drift);
  }
}

function partitionsOf(topics: readonly DeclaredTopic[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  );
}

function textOf({ producerId, producerEpoch }: ProducerIdentity) {
  return { producerId: String(producerId), producerEpoch };
}

/** Why nothing is published yet, in words that say so. */
function notFencedYet(thrown: unknown): unknown {
  if (!(thrown instanceof KafkaError)) return thrown;
  const { code, kafkaCode } = thrown;
  return new KafkaError(
    code,
    `every partition has to refuse older producers before anything is published, and the coordinator did not take them into the transaction for it: ${thrown.message}`,
    { cause: thrown, ...(kafkaCode === undefined ? {} : { kafkaCode }) },
  );
}
