import type { TrackedTransaction } from '../ack/ack-tracker.ts';
import type { Clock } from '@outbound/service-kit';
import { toRelayError, type RelayError } from '../errors.ts';
import { Lanes, type TrackedBatch } from './lanes.ts';
import { recordBytes, type OutboundRecord } from './outbound-record.ts';
import { laneKey, type LaneAnswer, type PublisherSession, type Refusal } from './publisher.ts';
import { afterFailedSend, laneShare, type SendLimits } from './send-plan.ts';

export interface LaneSenderOptions {
  readonly clock: Clock;
  readonly limits: SendLimits;
  readonly backoffMs: (attempt: number) => number;
  /** Resolves when a send may start; rejects when this process may no longer send. */
  readonly prove: () => Promise<void>;
  readonly onDelivered: (batch: TrackedBatch) => void;
  /**
   * The broker refuses this very record, alone in its batch or named in it. It is in its lane no longer, and the lane goes on; or nothing is
   * sent any more on this session, if it gives an error: then those that were named with it are told of all the same.
   */
  readonly onRefused: (
    record: OutboundRecord,
    transaction: TrackedTransaction,
    refusal: Refusal,
  ) => RelayError | undefined;
  /** A send of these lanes failed, and is tried again. */
  readonly onSendFailed: (error: RelayError, attempt: number, lanes: readonly string[]) => void;
  /** This session can't go on. Called once. */
  readonly onFailed: (error: RelayError) => void;
}

/**
 * Brings queued records to Kafka: one send in flight per leader broker, covering all its ready lanes. A batch is sent until it is
 * confirmed, always the same one, and the lane waits meanwhile. Knows nothing of transactions but whom to tell (I1, I3, I7).
 */
export class LaneSender {
  readonly #options: LaneSenderOptions;
  readonly #lanes = new Lanes();
  readonly #stopped = new AbortController();
  readonly #busyLeaders = new Set<number>();
  readonly #tasks = new Set<Promise<void>>();
  #session: PublisherSession | undefined;
  #isPumpDue = false;
  #bytes = 0;
  #drained: (() => void)[] = [];

  constructor(options: LaneSenderOptions) {
    this.#options = options;
  }

  /** Bytes of records that are not confirmed yet (I9). */
  get bytes(): number {
    return this.#bytes;
  }

  get isIdle(): boolean {
    return this.#bytes === 0;
  }

  /** Queued and unconfirmed records per lane, for metrics. */
  depths(): Map<string, number> {
    const depths = new Map<string, number>();
    for (const lane of this.#lanes.all())
      depths.set(laneKey(lane.topic, lane.partition), lane.length);
    return depths;
  }

  /** `waits`: it is not sent before every barrier that was raised before it is confirmed. */
  enqueue(record: OutboundRecord, transaction: TrackedTransaction, waits = true): void {
    const { barriers } = this.#lanes;
    this.#bytes += recordBytes(record);
    this.#lanes
      .lane(record.topic, record.partition)
      .push(record, transaction, waits ? barriers.issued : 0);
    this.#schedulePump();
  }

  /** What is queued from here on and waits is not sent before this record, which was queued, is confirmed. */
  raiseBarrier(record: OutboundRecord): void {
    this.#lanes.barriers.raise(record);
  }

  /** Keeps of the queued records those that are wanted; asks for each, in its lane's order. Only before the start. */
  sift(isWanted: (record: OutboundRecord, transaction: TrackedTransaction) => boolean): void {
    for (const lane of this.#lanes.all())
      lane.sift((record, transaction) => {
        const keeps = isWanted(record, transaction);
        if (!keeps) this.#bytes -= recordBytes(record);
        return keeps;
      });
  }

  /** Begins sending; until then records only queue. */
  start(session: PublisherSession): void {
    this.#session = session;
    this.#schedulePump();
  }

  /** Resolves when every queued record is confirmed, or when the sender was stopped. */
  async drained(): Promise<void> {
    if (this.isIdle || this.#stopped.signal.aborted) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Starts no further send. Sends that are out are not waited for: closing the session ends them. */
  stop(): void {
    this.#stopped.abort();
    this.#tellDrained();
  }

  /** Resolves when no send is out any more. Call it after the session was closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks);
  }

  /** Once per turn: a read from the socket queues many records, and they shall share a send. */
  #schedulePump(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const session = this.#session;
    if (!session || this.#stopped.signal.aborted) return;
    const ready = this.#lanes.readyByLeader((topic, partition) =>
      session.leaderOf(topic, partition),
    );
    for (const [leader, lanes] of ready) {
      if (this.#busyLeaders.has(leader)) continue;
      const share = laneShare(this.#options.limits, lanes.length);
      const batches: TrackedBatch[] = [];
      for (const lane of lanes) {
        const batch = lane.take(share);
        if (batch) batches.push(batch);
      }
      if (batches.length === 0) continue;
      this.#busyLeaders.add(leader);
      this.#run(this.#sendTogether(session, leader, batches));
    }
    if (this.isIdle) this.#tellDrained();
  }

  /** Keeps hold of a task, so that none is left floating: its failure ends the session. */
  #run(task: Promise<void>): void {
    const settled = task
      .catch((thrown: unknown) => {
        if (this.#stopped.signal.aborted) return;
        this.stop();
        this.#options.onFailed(toRelayError(thrown));
      })
      .finally(() => this.#tasks.delete(settled));
    this.#tasks.add(settled);
  }

  /** Sends the batches of one leader, which stays busy meanwhile. What only some of them fail by goes on apart. */
  async #sendTogether(
    session: PublisherSession,
    leader: number,
    batches: readonly TrackedBatch[],
  ): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const { unconfirmed, next } = await this.#trySend(session, batches, attempt);
      if (unconfirmed.length < batches.length || next === 'apart') {
        for (const batch of unconfirmed) this.#run(this.#sendApart(session, batch));
        break;
      }
      await this.#options.clock.sleep(this.#options.backoffMs(attempt), this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
    }
    this.#busyLeaders.delete(leader);
    this.#schedulePump();
  }

  /** Sends one batch until it is confirmed. Its broker's other lanes don't wait for it, its own lane does. */
  async #sendApart(session: PublisherSession, batch: TrackedBatch): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const { unconfirmed } = await this.#trySend(session, [batch], attempt);
      if (unconfirmed.length === 0) break;
      await this.#options.clock.sleep(this.#options.backoffMs(attempt), this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
    }
    this.#schedulePump();
  }

  /**
   * One send. Gives what is still unconfirmed: a leader may have moved, and the answer came without a lane (trap 3.1-1).
   * @throws RelayError if the session can't go on.
   */
  async #trySend(
    session: PublisherSession,
    batches: readonly TrackedBatch[],
    attempt: number,
  ): Promise<{ unconfirmed: readonly TrackedBatch[]; next: 'together' | 'apart' }> {
    try {
      await this.#options.prove();
      if (this.#stopped.signal.aborted) return { unconfirmed: batches, next: 'together' };
      const answers = await session.send(batches);
      return { unconfirmed: this.#book(batches, answers), next: 'together' };
    } catch (thrown) {
      const error = toRelayError(thrown);
      if (this.#stopped.signal.aborted) return { unconfirmed: batches, next: 'together' };
      const next = afterFailedSend(error, attempt);
      if (next === 'end') throw error;
      const lanes = batches.map(({ topic, partition }) => laneKey(topic, partition));
      this.#options.onSendFailed(error, attempt, lanes);
      return { unconfirmed: batches, next };
    }
  }

  /** Books what was confirmed or refused, and gives back what was neither. */
  #book(batches: readonly TrackedBatch[], answers: readonly LaneAnswer[]): readonly TrackedBatch[] {
    const byLane = new Map(answers.map((each) => [laneKey(each.topic, each.partition), each]));
    const missing: TrackedBatch[] = [];
    const refused: { readonly batch: TrackedBatch; readonly answer: Refusal }[] = [];
    for (const batch of batches) {
      const answer = byLane.get(laneKey(batch.topic, batch.partition));
      if (!answer) missing.push(batch);
      else if ('refusal' in answer) refused.push({ batch, answer });
      else {
        batch.lane.confirm(batch);
        this.#lanes.barriers.confirmed(batch.records);
        this.#bytes -= batch.bytes;
        this.#options.onDelivered(batch);
      }
    }
    // Behind what was confirmed, which counts even if a refusal ends the session.
    for (const { batch, answer } of refused)
      if (!this.#stopped.signal.aborted) this.#refused(batch, answer);
    if (this.isIdle) this.#tellDrained();
    return missing;
  }

  #refused(batch: TrackedBatch, refusal: Refusal): void {
    let end: RelayError | undefined;
    for (const { record, transaction } of batch.lane.refuse(batch, refusal.named)) {
      this.#bytes -= recordBytes(record);
      const error = this.#options.onRefused(record, transaction, refusal);
      end ??= error;
    }
    if (!end) return;
    // At once: no record of the lane may pass this one.
    this.stop();
    this.#options.onFailed(end);
  }

  #tellDrained(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}
