import { setTimeout as delay } from 'node:timers/promises';
import type { TrackedTransaction } from '../../ack/ack-tracker.ts';
import { systemClock } from '@outbound/service-kit';
import type { RelayError } from '../../errors.ts';
import { recoveryDelayMs } from '../../recovery-delay.ts';
import { eventually } from '../../../../../test/support/eventually.ts';
import type { SourceIdentity } from '../../wal/source-position.ts';
import { LaneSender } from '../lane-sender.ts';
import type { PublisherSession } from '../publisher.ts';
import { refusedEvent } from '../refused-event.ts';
import { defaultSendLimits } from '../send-plan.ts';
import { recordAt, type ReadRecord } from './kafka-rig.ts';

/** A steady stream of numbered records over all partitions of a topic, sent by the real core over a real session. */
export class LaneLoad {
  readonly failures: RelayError[] = [];
  /** Highest confirmed number per partition. */
  readonly confirmed: number[];
  fatal: RelayError | undefined;
  /** When something was last confirmed in each partition, and the longest standstill of any, in milliseconds. */
  longestStandstillMs = 0;
  readonly #lastMs: number[];
  readonly #sender: LaneSender;
  readonly #stopped = new AbortController();
  readonly #partitions: number;
  #running: Promise<void> | undefined;
  #session: PublisherSession | undefined;
  sent = 0;

  constructor(topic: string, partitions: number, source: SourceIdentity) {
    this.#partitions = partitions;
    this.confirmed = Array.from({ length: partitions }, () => -1);
    this.#lastMs = this.confirmed.map(() => performance.now());
    this.#topic = topic;
    this.#source = source;
    this.#sender = new LaneSender({
      clock: systemClock,
      limits: defaultSendLimits,
      backoffMs: (attempt) => recoveryDelayMs(Math.min(attempt, 2), Math.random),
      prove: () => Promise.resolve(),
      onDelivered: ({ partition, records }) => {
        const now = performance.now();
        const idle = now - (this.#lastMs[partition] ?? now);
        this.longestStandstillMs = Math.max(this.longestStandstillMs, idle);
        this.#lastMs[partition] = now;
        this.confirmed[partition] = Number(records.at(-1)?.position.commitLsn ?? -1);
      },
      onRefused: (record, _, { refusal }) => refusedEvent(record, refusal),
      onSendFailed: (error) => this.failures.push(error),
      onFailed: (error) => {
        this.fatal = error;
      },
    });
  }

  readonly #topic: string;
  readonly #source: SourceIdentity;

  start(session: PublisherSession): void {
    this.#session = session;
    this.#sender.start(session);
    this.#running = this.#run();
  }

  /** Resolves when every partition has confirmed a record that was made after this call. */
  async flows(timeoutMs: number): Promise<void> {
    const from = this.sent;
    await eventually(
      () => {
        if (this.fatal) throw this.fatal;
        return this.confirmed.every((number) => number >= from);
      },
      { timeoutMs, intervalMs: 50 },
    );
  }

  /** Makes no more, waits until all is confirmed, and ends the session. */
  async finish(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    await eventually(() => this.#sender.isIdle || this.fatal !== undefined, { timeoutMs: 60_000 });
    this.#sender.stop();
    await this.#session?.close();
    await this.#sender.settled();
    if (this.fatal) throw this.fatal;
  }

  async #run(): Promise<void> {
    const transaction: TrackedTransaction = {
      undelivered: 0,
      endLsn: undefined,
      previous: undefined,
      next: undefined,
    };
    while (!this.#stopped.signal.aborted) {
      // A bound as the relay has one: a standstill must not fill memory.
      if (this.#sender.bytes < 8_000_000)
        for (let index = 0; index < 60; index += 1) {
          const partition = this.sent % this.#partitions;
          this.#sender.enqueue(
            recordAt(this.#source, this.#topic, partition, this.sent),
            transaction,
          );
          this.sent += 1;
        }
      await delay(5);
    }
  }
}

/** What of the numbers `0 … sent − 1` is missing, doubled or out of order in its partition. */
export function faultsOf(
  records: readonly ReadRecord[],
  sent: number,
): { missing: number; doubled: number; disordered: number } {
  const seen = new Set<number>();
  const last = new Map<number, number>();
  let doubled = 0;
  let disordered = 0;
  for (const { partition, key } of records) {
    const number = Number(String(key).slice('key-'.length));
    if (seen.has(number)) doubled += 1;
    if (number < (last.get(partition) ?? -1)) disordered += 1;
    seen.add(number);
    last.set(partition, number);
  }
  return { missing: sent - seen.size, doubled, disordered };
}
