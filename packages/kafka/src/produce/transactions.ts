import { setTimeout as delay } from 'node:timers/promises';
import {
  addPartitionsApi,
  endTransactionApi,
  retireProducerApi,
} from '../apis/transaction-apis.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { BrokerLink } from '../connection/broker-link.ts';
import { KafkaError } from '../kafka-error.ts';
import { concurrentTransactions, errorFromCode, operationNotAttempted } from '../kafka-errors.ts';
import type { TopicPartition } from '../ports/partition.ts';
import { explainConcurrent } from './explain-concurrent.ts';
import { transactionCoordinatorOf, type ProducerIdentity } from './producer-identity.ts';
import { isAbortedByTime, transactionFacts } from './transaction-facts.ts';

export interface TransactionsOptions {
  readonly cluster: Cluster;
  readonly transactionalId: string;
  readonly identity: ProducerIdentity;
  /** For how long one question may be asked again. */
  readonly withinMs: number;
  /** Asks nothing more. */
  readonly signal: AbortSignal;
  /**
   * After so long, and as often, it is told that the transaction before is still being ended; default 1 s. Each transaction waits for a moment of that, which is nothing to
   * tell.
   */
  readonly tellConcurrentAfterMs?: number;
}

/** Is told why a question had no answer for good, and is asked again; `attempt` counts from 0. Must not throw. */
export type OnWaiting = (error: KafkaError, attempt: number) => void;

const firstPauseMs = 2;
const longestPauseMs = 200;
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
   * @throws KafkaError KAFKA_FENCED if a newer epoch exists, or the coordinator has aborted the transaction by its time (`wasAbortedByTime` tells
   * which); KAFKA_PRODUCER_LOST; KAFKA_FORBIDDEN; KAFKA_UNAVAILABLE after `withinMs`.
   */
  async add(partitions: readonly TopicPartition[], onWaiting?: OnWaiting): Promise<void> {
    await this.#ask((link) => this.#added(link, partitions), onWaiting);
  }

  /**
   * Resolves when the transaction is committed for good. Read-committed readers see it a moment later.
   * @throws KafkaError as `add`. It may be committed all the same, also after KAFKA_FENCED: an earlier question may have been carried out before the newer epoch
   * was given out. Whoever opens the next producer under the id finds it ended.
   */
  async commit(onWaiting?: OnWaiting): Promise<Committed> {
    const { transactionalId, identity } = this.#options;
    await this.#ask(async (link) => {
      const { errorCode } = await link.request(endTransactionApi, {
        transactionalId,
        identity,
        isCommit: true,
      });
      return errorCode;
    }, onWaiting);
    return { isLastOfEpoch: this.#isInDoubt };
  }

  /**
   * For whoever stops: the coordinator aborts the transaction that is open over these partitions, by taking this epoch away, so that readers do not wait for its time to run out,
   * and what is still on its way to a partition is refused there. (An abort that leaves the epoch would let a late batch open the partition again, and before Kafka 3.6 for
   * ever: KIP-890.) One that is being committed is. Nothing may be sent afterwards. Never rejects, and takes `ms` at the most: without an answer the transaction ends by its
   * time, or by the next producer.
   */
  async retire(partitions: readonly TopicPartition[], ms: number): Promise<void> {
    const waited = new AbortController();
    await Promise.race([
      this.#retire(partitions).catch(() => undefined),
      delay(ms, undefined, { signal: waited.signal, ref: false }).catch(() => undefined),
    ]);
    waited.abort();
  }

  /**
   * After KAFKA_FENCED, of a question or of a batch: whether the coordinator itself took the epoch away, since the transaction took longer than its time, and no newer
   * producer is known. False where nobody tells, as brokers before 3.0. Never rejects.
   */
  async wasAbortedByTime(): Promise<boolean> {
    const { cluster, transactionalId, identity } = this.#options;
    const facts = await transactionFacts(cluster, transactionalId).catch(() => undefined);
    return facts !== undefined && isAbortedByTime(facts, identity);
  }

  async #retire(partitions: readonly TopicPartition[]): Promise<void> {
    const { transactionalId, identity } = this.#options;
    // Where a transaction is open, taking an epoch away asks for no epoch: an older producer would end what is the newer one's. Adding does ask.
    const newer = await this.#failureOf((link) => this.#added(link, partitions));
    if (newer) return;
    await this.#failureOf(async (link) => {
      const { errorCode } = await link.request(retireProducerApi, { transactionalId, identity });
      return errorCode;
    });
  }

  async #added(link: BrokerLink, partitions: readonly TopicPartition[]): Promise<number> {
    const { transactionalId, identity } = this.#options;
    const question = { transactionalId, identity, partitions };
    const { errorCodes } = await link.request(addPartitionsApi, question);
    const failed = errorCodes.filter((code) => code !== 0);
    return failed.find((code) => code !== operationNotAttempted) ?? failed[0] ?? 0;
  }

  async #ask(
    question: (link: BrokerLink) => Promise<number>,
    onWaiting: OnWaiting = () => undefined,
  ): Promise<void> {
    const {
      cluster,
      transactionalId,
      withinMs,
      signal,
      tellConcurrentAfterMs = 1000,
    } = this.#options;
    const deadlineMs = performance.now() + withinMs;
    let tellAtMs = performance.now() + tellConcurrentAfterMs;
    let told = 0;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      let error = await this.#failureOf(question);
      if (!error) return;
      const isConcurrent = error.kafkaCode === concurrentTransactions;
      const isOver = signal.aborted || performance.now() > deadlineMs;
      const isTold = !isConcurrent || performance.now() >= tellAtMs;
      if (isConcurrent && !signal.aborted && (isOver || isTold))
        error = await explainConcurrent(cluster, transactionalId, error);
      if (!passing.has(error.code) || isOver) throw error;
      if (isTold) {
        onWaiting(error, told);
        told += 1;
        tellAtMs = performance.now() + tellConcurrentAfterMs;
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      // The transaction before is still being written to its partitions: nobody else is to be asked.
      if (isConcurrent) continue;
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
