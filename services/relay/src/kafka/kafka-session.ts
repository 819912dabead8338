import {
  BatchProducer,
  errorFromCode,
  kafkaCode,
  refusesNamedRecords,
  refusesRecords,
  refusesSize,
  unknownTopicOrPartition,
  type BatchCompression,
  type BatchOutcome,
  type ProducerIdentity,
  type TopicDirectory,
} from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import { RelayError, toRelayError } from '../errors.ts';
import type { ParkedKeys } from '../poison/parked-keys.ts';
import { recordBytes } from './outbound-record.ts';
import { laneKey, type LaneAnswer, type LaneBatch, type PublisherSession } from './publisher.ts';
import type { Tail } from './tail.ts';

/** How a session behaves in time. Milliseconds. */
export interface SessionTiming {
  /** How long a broker waits for the replicas before it answers REQUEST_TIMED_OUT; the batch is then sent again. */
  readonly replicationTimeoutMs: number;
  /** How often the cluster is asked who leads what; which is also how an idle relay notices that nobody answers. */
  readonly metadataRefreshMs: number;
  /** The session asks to be replaced at this age: well below `transactional.id.expiration.ms` (trap 10e). */
  readonly renewAfterMs: number;
  /** A topic that the whole cluster has not known for this long is deleted; before, the brokers may only not have heard of it yet. */
  readonly topicMissingMs: number;
}

export const sessionTiming: SessionTiming = {
  replicationTimeoutMs: 3000,
  metadataRefreshMs: 10_000,
  renewAfterMs: 12 * 3_600_000,
  topicMissingMs: 10_000,
};

export interface KafkaSessionParts {
  readonly directory: TopicDirectory;
  readonly identity: ProducerIdentity;
  readonly tails: ReadonlyMap<string, Tail>;
  readonly parked?: ParkedKeys | undefined;
  /** The topics as they were checked: how many partitions each has. */
  readonly partitionCounts: ReadonlyMap<string, number>;
  readonly timing: SessionTiming;
  readonly log: KafkaLog;
  /** Told after each question to the cluster: why nobody answered, or undefined. */
  readonly onAsked: (error: RelayError | undefined) => void;
  readonly compression: BatchCompression | undefined;
  /** Every batch is of this id's transaction, which whoever sends has begun and ends (`TransactionalSession`). */
  readonly transactionalId?: string | undefined;
  /** First sequence of every partition; only a test of the wrap sets it. */
  readonly firstSequence?: number;
}

/** Far below `socket.request.max.bytes` (100 MiB), above which a broker closes the connection without a word. */
const requestBytes = 16 * 1024 * 1024;

/**
 * One producer from its fencing to its end: gives batches their numbers, sends one request to each leader, and tells per partition what
 * the brokers said. Tries nothing again by itself: the core does, with the same batches.
 */
export class KafkaSession implements PublisherSession {
  readonly tails: ReadonlyMap<string, Tail>;
  readonly parked: ParkedKeys | undefined;
  readonly #parts: KafkaSessionParts;
  readonly #producer: BatchProducer;
  readonly #bornMs = performance.now();
  readonly #bornWallMs = Date.now();
  readonly #refresher: NodeJS.Timeout;
  #refreshing: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: KafkaSessionParts) {
    this.#parts = parts;
    this.tails = parts.tails;
    this.parked = parts.parked;
    this.#producer = new BatchProducer({
      identity: parts.identity,
      replicationTimeoutMs: parts.timing.replicationTimeoutMs,
      compression: parts.compression,
      transactionalId: parts.transactionalId,
      firstSequence: parts.firstSequence,
    });
    this.#refresher = setInterval(() => this.#refreshLeaders(), parts.timing.metadataRefreshMs);
    this.#refresher.unref();
  }

  leaderOf(topic: string, partition: number): number {
    return this.#parts.directory.leaderOf(topic, partition);
  }

  mustRenew(): boolean {
    // The monotonic clock stands still while a machine is suspended; what the brokers remember of us does not.
    const ageMs = Math.max(performance.now() - this.#bornMs, Date.now() - this.#bornWallMs);
    if (ageMs >= this.#parts.timing.renewAfterMs) return true;
    // A topic that has changed under us is looked at again by the next session, which refuses it.
    for (const [topic, count] of this.#parts.partitionCounts) {
      const summary = this.#parts.directory.summary(topic);
      if (summary ? summary.partitions !== count : this.#isMissing(topic)) return true;
    }
    return false;
  }

  async send(batches: readonly LaneBatch[]): Promise<readonly LaneAnswer[]> {
    if (this.#isClosed) throw new RelayError('SINK_SESSION_BROKEN', 'this session is closed');
    const failures: RelayError[] = [];
    const answers: LaneAnswer[] = [];
    await Promise.all(
      this.#requests(batches).map(async ({ leader, group }) => {
        try {
          await this.#sendTo(leader, group, answers, failures);
        } catch (thrown) {
          failures.push(toRelayError(thrown));
        }
      }),
    );
    if (failures.length > 0) this.#refreshLeaders();
    const fatal = failures.find(isFatal);
    if (fatal) throw fatal;
    // What was decided is the answer; the core asks for the rest again, and hears why if nothing at all was decided.
    if (answers.length === 0 && failures[0])
      throw failures.find(({ code }) => code === 'SINK_PARTITION_UNAVAILABLE') ?? failures[0];
    return answers;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#refresher);
    this.#parts.directory.cluster.close();
    return this.#refreshing ?? Promise.resolve();
  }

  async #sendTo(
    leader: number,
    batches: readonly LaneBatch[],
    answers: LaneAnswer[],
    failures: RelayError[],
  ): Promise<void> {
    if (leader < 0) {
      for (const batch of batches) failures.push(this.#withoutLeader(batch));
      return;
    }
    const link = this.#parts.directory.cluster.link(leader);
    for (const outcome of await this.#producer.send(link, batches)) {
      const { batch, isStored, answer } = outcome;
      const { topic, partition } = batch;
      if (isStored && answer) answers.push({ topic, partition, baseOffset: answer.baseOffset });
      else if (answer && refusesRecords(answer.code)) {
        this.#producer.giveUp(batch);
        const { name } = kafkaCode(answer.code);
        const refusal = answer.detail ? `${name} (${answer.detail})` : name;
        const named = refusesNamedRecords(answer.code) ? answer.named : [];
        answers.push({
          ...{ topic, partition, refusal },
          ...(named.length > 0 ? { named } : {}),
          // What a batch is squeezed to does not follow from its size.
          ...(refusesSize(answer.code) && !this.#parts.compression ? { isForSize: true } : {}),
        });
      } else failures.push(this.#failureOf(outcome, leader));
    }
  }

  #failureOf({ batch, answer }: BatchOutcome<LaneBatch>, leader: number): RelayError {
    const { topic, partition } = batch;
    if (!answer)
      return new RelayError('SINK_UNAVAILABLE', `broker ${leader} left a lane out of its answer`);
    const { code, detail } = answer;
    if (code === unknownTopicOrPartition && this.#isMissing(topic)) return missing(topic);
    return toRelayError(errorFromCode(code, `partition ${laneKey(topic, partition)}`, detail));
  }

  #withoutLeader({ topic, partition }: LaneBatch): RelayError {
    if (this.#isMissing(topic)) return missing(topic);
    return new RelayError(
      'SINK_PARTITION_UNAVAILABLE',
      `partition ${laneKey(topic, partition)} has no leader`,
    );
  }

  #isMissing(topic: string): boolean {
    return (this.#parts.directory.unknownForMs(topic) ?? 0) >= this.#parts.timing.topicMissingMs;
  }

  /** One request per leader, or several where one would be too large. */
  #requests(batches: readonly LaneBatch[]): { leader: number; group: LaneBatch[] }[] {
    const requests: { leader: number; group: LaneBatch[]; bytes: number }[] = [];
    for (const batch of batches) {
      const leader = this.leaderOf(batch.topic, batch.partition);
      const bytes = batch.records.reduce((sum, record) => sum + recordBytes(record), 0);
      const open = requests.find(
        (request) => request.leader === leader && request.bytes + bytes <= requestBytes,
      );
      if (open) {
        open.group.push(batch);
        open.bytes += bytes;
      } else requests.push({ leader, group: [batch], bytes });
    }
    return requests;
  }

  /** In the background: a send never waits for it. A failure is told, and the next send or the timer asks again. */
  #refreshLeaders(): void {
    if (this.#isClosed || this.#refreshing) return;
    this.#refreshing = this.#parts.directory
      .refresh()
      .then(
        () => {
          if (!this.#isClosed) this.#parts.onAsked(undefined);
        },
        (thrown: unknown) => {
          if (this.#isClosed) return;
          const error = toRelayError(thrown);
          this.#parts.onAsked(error);
          const { code, message } = error;
          this.#parts.log.warn({ component: 'kafka', code, error: message }, 'no fresh metadata');
        },
      )
      .finally(() => {
        this.#refreshing = undefined;
      });
  }
}

function isFatal({ code }: RelayError): boolean {
  return code !== 'SINK_UNAVAILABLE' && code !== 'SINK_PARTITION_UNAVAILABLE';
}

function missing(topic: string): RelayError {
  return new RelayError('SINK_TOPIC_MISSING', `topic ${topic} does not exist any more`);
}
