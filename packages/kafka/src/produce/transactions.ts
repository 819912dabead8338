import { setTimeout as delay } from 'node:timers/promises';
import { addPartitionsApi, endTransactionApi } from '../apis/transaction-apis.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { BrokerLink } from '../connection/broker-link.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode, operationNotAttempted } from '../kafka-errors.ts';
import type { TopicPartition } from '../ports/partition.ts';
import { transactionCoordinatorOf, type ProducerIdentity } from './producer-identity.ts';

export interface TransactionsOptions {
  readonly cluster: Cluster;
  readonly transactionalId: string;
  readonly identity: ProducerIdentity;
  /** For how long one question may be asked again. */
  readonly withinMs: number;
  /** Asks nothing more. */
  readonly signal: AbortSignal;
}

const firstPauseMs = 2;
const longestPauseMs = 200;
const concurrentTransactions = 51;
const passing: ReadonlySet<string> = new Set(['KAFKA_UNAVAILABLE', 'KAFKA_PARTITION_UNAVAILABLE']);

/** A transaction that is committed for good. */
export interface Committed {
  /**
   * A question to the coordinator was given up without an answer, and asked again. It may be carried out late: a commit in the midst of the *next*
   * transaction, whose rest would be in none. Brokers before Kafka 3.6 take that rest without a word and never end it, though its commit is answered
   * (KIP-890). So no transaction may be begun any more with this epoch; a newer one refuses what comes late.
   */
  readonly isLastOfEpoch: boolean;
}

/**
 * The transactions of one producer, one after the other: `add`, then its batches, then `commit`. Each question goes to
 * the coordinator until it is answered for good: both may be asked twice, as long as no other transaction follows.
 */
export class Transactions {
  readonly #options: TransactionsOptions;
  #coordinator: number | undefined;
  /** Something was asked that was not answered: the coordinator may come to it later. */
  #isInDoubt = false;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when batches of the transaction may be sent to these partitions; begins it, if none is open. **Order**: before the
   * first batch of a partition, in each transaction anew: what a partition takes without it would never be ended. Not after a
   * commit that was `isLastOfEpoch`.
   * @throws KafkaError KAFKA_FENCED if a newer epoch exists, or the coordinator has aborted the transaction by its time;
   * KAFKA_PRODUCER_LOST; KAFKA_FORBIDDEN; KAFKA_UNAVAILABLE after `withinMs`.
   */
  async add(partitions: readonly TopicPartition[]): Promise<void> {
    const { transactionalId, identity } = this.#options;
    await this.#ask(async (link) => {
      const { errorCodes } = await link.request(addPartitionsApi, {
        transactionalId,
        identity,
        partitions,
      });
      const failed = errorCodes.filter((code) => code !== 0);
      return failed.find((code) => code !== operationNotAttempted) ?? failed[0] ?? 0;
    });
  }

  /**
   * Resolves when the transaction is committed for good. Read-committed readers see it a moment later.
   * @throws KafkaError as `add`: after KAFKA_FENCED nothing of it is there; after another it may be. Whoever opens the
   * next producer under the id finds it ended.
   */
  async commit(): Promise<Committed> {
    const { transactionalId, identity } = this.#options;
    await this.#ask(async (link) => {
      const { errorCode } = await link.request(endTransactionApi, {
        transactionalId,
        identity,
        isCommit: true,
      });
      return errorCode;
    });
    return { isLastOfEpoch: this.#isInDoubt };
  }

  async #ask(question: (link: BrokerLink) => Promise<number>): Promise<void> {
    const { cluster, withinMs, signal } = this.#options;
    const deadlineMs = performance.now() + withinMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const error = await this.#failureOf(question);
      if (!error) return;
      if (!passing.has(error.code) || signal.aborted || performance.now() > deadlineMs) throw error;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      // The transaction before is still being written to its partitions: nobody else is to be asked.
      if (error.kafkaCode === concurrentTransactions) continue;
      this.#coordinator = undefined;
      // Its failure is the next question's.
      await cluster.describe([]).catch(() => undefined);
    }
  }

  async #failureOf(
    question: (link: BrokerLink) => Promise<number>,
  ): Promise<KafkaError | undefined> {
    const { cluster, transactionalId } = this.#options;
    let isOut = false;
    try {
      this.#coordinator ??= await transactionCoordinatorOf(cluster, transactionalId);
      const link = cluster.link(this.#coordinator);
      isOut = true;
      const code = await question(link);
      return code === 0 ? undefined : errorFromCode(code, `transaction of ${transactionalId}`);
    } catch (thrown) {
      this.#isInDoubt ||= isOut;
      if (thrown instanceof KafkaError) return thrown;
      throw thrown;
    }
  }
}
