import type { OnWaiting, Transactions } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { RelayError, toRelayError } from '../errors.ts';
import type { ParkedKeys } from '../poison/parked-keys.ts';
import { laneKey, type LaneAnswer, type LaneBatch, type PublisherSession } from './publisher.ts';
import type { Tail } from './tail.ts';

export interface TransactionalSessionParts {
  /** Sends batches of the transaction. */
  readonly session: PublisherSession;
  readonly transactions: Pick<Transactions, 'add' | 'commit' | 'retire' | 'wasAbortedByTime'>;
  /**
   * Told each time that the transaction under way has to wait, and why, with its lanes that take nothing meanwhile: without it nothing would be known of that before the session
   * ends (I11). Must not throw.
   */
  readonly onWaiting: (error: RelayError, attempt: number, lanes: readonly string[]) => void;
  readonly clock: Clock;
  /** For how long a transaction may wait for a partition: below the coordinator's own limit, by which it is aborted. */
  readonly storeWithinMs: number;
  /** Ends what waits when the session closes; aborted by `close`. */
  readonly closing: AbortController;
}

/** A call of `send` that has not been answered. */
interface Waiting {
  readonly batches: readonly LaneBatch[];
  readonly resolve: (answers: readonly LaneAnswer[]) => void;
  readonly reject: (error: RelayError) => void;
}

const firstPauseMs = 50;
const longestPauseMs = 1000;
/** How long the coordinator may take to end what a session that closes has left open; within what a stop may take (`closingMs`). */
const retireWithinMs = 1000;

/**
 * A session whose batches are confirmed by the commit of the transaction that they are in, and not before. Transactions follow one another; what is sent
 * while one is under way is the next one. Each record carries its position and its event's id, and the tail of a partition is its last *committed* record: so
 * records and position are committed by one act, and whoever comes after goes on exactly behind them (ADR 5).
 *
 * A transaction is committed when every batch of it is known to be stored or refused. One that cannot be is left open, and this session is of no
 * more use: `close` has it aborted where the coordinator answers, else the next one does, taking a new epoch, and reads what there is. Nor is it after a commit behind which no other may follow
 * (`Committed`): its batches are confirmed, and the next session goes on.
 */
export class TransactionalSession implements PublisherSession {
  readonly #parts: TransactionalSessionParts;
  #waiting: Waiting[] = [];
  #isRunning = false;
  #running: Promise<void> | undefined;
  #broken: RelayError | undefined;
  /** Broken by nothing that anybody has to be told: whoever asks may end this session before a send finds out. */
  #isSpent = false;
  /** Of the transaction that may have been begun and whose end is not known. */
  #open: readonly LaneBatch[] = [];

  constructor(parts: TransactionalSessionParts) {
    this.#parts = parts;
  }

  get tails(): ReadonlyMap<string, Tail> {
    return this.#parts.session.tails;
  }

  get parked(): ParkedKeys | undefined {
    return this.#parts.session.parked;
  }

  leaderOf(topic: string, partition: number): number {
    return this.#parts.session.leaderOf(topic, partition);
  }

  mustRenew(): boolean {
    return this.#isSpent || this.#parts.session.mustRenew();
  }

  async send(batches: readonly LaneBatch[]): Promise<readonly LaneAnswer[]> {
    if (this.#broken) throw this.#broken;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batches, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      // Never rejects: whoever waits is told.
      this.#running = this.#run();
    });
  }

  async close(): Promise<void> {
    const { closing, transactions, session } = this.#parts;
    closing.abort();
    if (this.#open.length > 0) await transactions.retire(this.#open, retireWithinMs);
    await session.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#broken) {
        for (const { reject } of this.#waiting.splice(0)) reject(this.#broken);
        break;
      }
      // The lanes of other brokers send in this turn, too, and shall be in the same transaction.
      await Promise.resolve();
      const members = this.#waiting.splice(0);
      try {
        const answers = await this.#transaction(members.flatMap(({ batches }) => batches));
        for (const { batches, resolve } of members)
          resolve(
            batches.flatMap((batch) => answers.get(laneKey(batch.topic, batch.partition)) ?? []),
          );
      } catch (thrown) {
        this.#broken = await this.#whyBroken(toRelayError(thrown));
        for (const { reject } of [...members, ...this.#waiting.splice(0)]) reject(this.#broken);
      }
    }
    // In the same turn as the last look: what is sent from now on starts anew.
    this.#isRunning = false;
  }

  /** Fenced by a newer relay, or by the coordinator, which takes the epoch of a transaction away that took too long: the answers are the same. */
  async #whyBroken(error: RelayError): Promise<RelayError> {
    if (error.code !== 'SINK_FENCED' || !(await this.#parts.transactions.wasAbortedByTime()))
      return broken(error);
    return new RelayError(
      'SINK_SESSION_BROKEN',
      `Kafka aborted a transaction that was open for too long, and no newer relay is known: this one or its way to Kafka stood still (${error.message})`,
      { cause: error },
    );
  }

  async #transaction(batches: readonly LaneBatch[]): Promise<ReadonlyMap<string, LaneAnswer>> {
    const { transactions, onWaiting } = this.#parts;
    const lanes = lanesOf(batches);
    const waits: OnWaiting = (error, attempt) => onWaiting(toRelayError(error), attempt, lanes);
    this.#open = batches;
    await transactions.add(batches, waits);
    const answers = await this.#stored(batches);
    const { isLastOfEpoch } = await transactions.commit(waits);
    this.#open = [];
    if (isLastOfEpoch) {
      this.#isSpent = true;
      this.#broken = new RelayError(
        'SINK_SESSION_BROKEN',
        'the coordinator of transactions left a question without an answer, and may come to it late: the next transaction needs a new epoch',
      );
    }
    return answers;
  }

  /** Sends until every batch is stored or refused, always the same ones. */
  async #stored(batches: readonly LaneBatch[]): Promise<ReadonlyMap<string, LaneAnswer>> {
    const { session, onWaiting, clock, storeWithinMs, closing } = this.#parts;
    const deadlineMs = clock.nowMs() + storeWithinMs;
    const answers = new Map<string, LaneAnswer>();
    let left = batches;
    let pauseMs = firstPauseMs;
    for (let attempt = 0; ; attempt += 1) {
      let why = new RelayError('SINK_UNAVAILABLE', 'its answer left them out');
      try {
        for (const answer of await session.send(left))
          answers.set(laneKey(answer.topic, answer.partition), answer);
      } catch (thrown) {
        const error = toRelayError(thrown);
        if (!passing.has(error.code)) throw error;
        why = error;
      }
      left = left.filter(({ topic, partition }) => !answers.has(laneKey(topic, partition)));
      const lanes = lanesOf(left);
      if (lanes.length === 0) return answers;
      if (closing.signal.aborted || clock.nowMs() > deadlineMs)
        throw new RelayError(
          'SINK_SESSION_BROKEN',
          `a transaction cannot be committed: ${lanes.length} partitions, ${lanes[0]} first, have not taken their part of it (${why.message})`,
        );
      onWaiting(why, attempt, lanes);
      await clock.sleep(pauseMs, closing.signal);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }
}

function lanesOf(batches: readonly LaneBatch[]): string[] {
  return batches.map(({ topic, partition }) => laneKey(topic, partition));
}

const passing: ReadonlySet<string> = new Set(['SINK_UNAVAILABLE', 'SINK_PARTITION_UNAVAILABLE']);

/** The transaction's end is not known, so that its batches must not go into another one of this session: no code that says "send them again". */
function broken(error: RelayError): RelayError {
  if (!passing.has(error.code)) return error;
  return new RelayError('SINK_SESSION_BROKEN', `a transaction was given up: ${error.message}`, {
    cause: error,
  });
}
