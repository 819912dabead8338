import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AckTracker } from '../ack/ack-tracker.ts';
import type { Clock } from '@outbound/service-kit';
import { RelayError } from '../errors.ts';
import type { Lsn } from '../wal/lsn.ts';
import { LaneSender } from './lane-sender.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { laneKey, type LaneAnswer, type LaneBatch, type PublisherSession } from './publisher.ts';

/** Time passes at once: what the sender waits for is only an order of events here. */
const clock: Clock = {
  nowMs: () => 0,
  wallMs: () => 0,
  sleep: () => Promise.resolve(),
};

type Outcome = 'all' | 'some' | 'none' | 'answer-lost' | 'unavailable' | 'partition';

/** A broker that remembers each lane's last batch, so that a repeated one is stored once; and that looks for what no sender may do. */
class StrictSession implements PublisherSession {
  readonly tails = new Map();
  readonly stored = new Map<string, OutboundRecord[]>();
  readonly #outcomes: Outcome[];
  readonly #unconfirmed = new Map<string, LaneBatch>();
  readonly #inFlight = new Set<string>();
  readonly #takesRecords: number;
  readonly #poison: string | undefined;
  readonly #names: boolean;
  #sends = 0;

  /** `takesRecords`: a batch of more is too large. `poison`: what values that are refused wherever they are in end with, named if `names`. */
  constructor(
    outcomes: readonly Outcome[],
    takesRecords = Infinity,
    poison?: string,
    names = false,
  ) {
    this.#outcomes = [...outcomes];
    this.#takesRecords = takesRecords;
    this.#poison = poison;
    this.#names = names;
  }

  leaderOf(_topic: string, partition: number): number {
    return partition % 2;
  }

  async send(batches: readonly LaneBatch[]): Promise<readonly LaneAnswer[]> {
    this.#sends += 1;
    const outcome = this.#outcomes.shift() ?? 'all';
    const lanes = batches.map(({ topic, partition }) => laneKey(topic, partition));
    for (const [index, batch] of batches.entries()) this.#begin(lanes[index] ?? '', batch);
    for (let turn = 0; turn < this.#sends % 4; turn += 1) await Promise.resolve();
    for (const lane of lanes) this.#inFlight.delete(lane);
    if (outcome === 'unavailable') throw new RelayError('SINK_UNAVAILABLE', 'no broker');
    if (outcome === 'partition') throw new RelayError('SINK_PARTITION_UNAVAILABLE', 'no leader');
    const answers: LaneAnswer[] = [];
    for (const [index, batch] of batches.entries()) {
      const { topic, partition, records } = batch;
      if (outcome === 'none' || (outcome === 'some' && index % 2 === 1)) continue;
      const isTooLarge = records.length > this.#takesRecords;
      const named = records.flatMap(({ value }, at) =>
        this.#poison !== undefined && String(value).endsWith(this.#poison) ? [at] : [],
      );
      if (named.length > 0 || isTooLarge) {
        if (outcome === 'answer-lost') continue;
        this.#unconfirmed.delete(lanes[index] ?? '');
        const says = this.#names && !isTooLarge ? { refusal: 'INVALID_RECORD', named } : undefined;
        answers.push({ topic, partition, ...(says ?? { refusal: 'MESSAGE_TOO_LARGE' }) });
        continue;
      }
      this.#store(lanes[index] ?? '', batch);
      if (outcome === 'answer-lost') continue;
      this.#unconfirmed.delete(lanes[index] ?? '');
      answers.push({ topic, partition, baseOffset: 0n });
    }
    if (outcome === 'answer-lost') throw new RelayError('SINK_UNAVAILABLE', 'answer lost');
    return answers;
  }

  mustRenew(): boolean {
    return false;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #begin(lane: string, batch: LaneBatch): void {
    if (this.#inFlight.has(lane)) throw new Error(`${lane} is sent to while a send is out`);
    const waiting = this.#unconfirmed.get(lane);
    if (waiting && waiting !== batch) throw new Error(`${lane} is given another batch`);
    this.#inFlight.add(lane);
    this.#unconfirmed.set(lane, batch);
  }

  #store(lane: string, batch: LaneBatch): void {
    const stored = this.stored.get(lane) ?? [];
    this.stored.set(lane, stored);
    if (stored.at(-1) !== batch.records.at(-1)) stored.push(...batch.records);
  }
}

function newSender(recordsPerSend = 3) {
  const tracker = new AckTracker();
  const failures: RelayError[] = [];
  const refused: string[] = [];
  const failedLanes: string[] = [];
  const sender = new LaneSender({
    clock,
    limits: { recordsPerSend, bytesPerBatch: 100_000 },
    backoffMs: () => 1,
    prove: () => Promise.resolve(),
    onDelivered: (batch) => {
      for (const transaction of batch.transactions) tracker.delivered(transaction);
    },
    onRefused: ({ value }, transaction) => {
      refused.push(String(value));
      tracker.delivered(transaction);
      return undefined;
    },
    onSendFailed: (_error, attempt, lanes) => failedLanes.push(`${attempt}: ${lanes.join(' ')}`),
    onFailed: (error) => {
      failures.push(error);
      sender.stop();
    },
  });
  return { sender, tracker, failures, refused, failedLanes };
}

/** One transaction with one record in each of the partitions. */
function commit(
  { sender, tracker }: Pick<ReturnType<typeof newSender>, 'sender' | 'tracker'>,
  commitLsn: number,
  partitions: readonly number[],
): void {
  const transaction = tracker.begin();
  for (const [index, partition] of partitions.entries()) {
    transaction.undelivered += 1;
    sender.enqueue(
      {
        topic: 't',
        partition,
        key: 'k',
        value: Buffer.from(`${commitLsn}/${index}`),
        headers: {},
        position: { commitLsn: BigInt(commitLsn) as Lsn, index },
        timestampMs: 0,
      },
      transaction,
    );
  }
  tracker.commit(transaction, BigInt(commitLsn + 1) as Lsn);
}

describe('LaneSender', () => {
  it('sends the ready lanes of one leader together, and each leader on its own', async () => {
    const sends: number[][] = [];
    const session = new StrictSession([]);
    const send = session.send.bind(session);
    session.send = (batches) => {
      sends.push(batches.map(({ partition }) => partition));
      return send(batches);
    };
    const one = newSender(1000);
    commit(one, 1, [0, 1, 2, 3, 4]);
    one.sender.start(session);
    await one.sender.drained();
    expect(sends).toEqual([
      [0, 2, 4],
      [1, 3],
    ]);
    expect(one.tracker.ackLsn).toBe(2n);
  });

  it('sends nothing before it is started and nothing after it is stopped', async () => {
    const session = new StrictSession([]);
    const one = newSender();
    commit(one, 1, [0]);
    one.sender.stop();
    one.sender.start(session);
    await one.sender.drained();
    await one.sender.settled();
    expect(session.stored.size).toBe(0);
  });

  it('sends of what was queued only what is kept, and counts no bytes of the rest', async () => {
    const session = new StrictSession([]);
    const one = newSender();
    for (const commitLsn of [4, 5, 6]) commit(one, commitLsn, [0]);
    one.sender.sift(({ position }, transaction) => {
      if (position.commitLsn > 5n) return true;
      one.tracker.delivered(transaction);
      return false;
    });
    one.sender.start(session);
    await one.sender.drained();
    expect(session.stored.get('t/0')?.map(({ position }) => position.commitLsn)).toEqual([6n]);
    expect(one.tracker.ackLsn).toBe(7n);
    expect(one.sender.bytes).toBe(0);
  });

  it.each(['SINK_FENCED', 'SINK_SESSION_BROKEN', 'SINK_REJECTED'] as const)(
    'ends at %s and acknowledges nothing of the batch',
    async (code) => {
      const session = new StrictSession([]);
      session.send = () => Promise.reject(new RelayError(code, 'refused'));
      const one = newSender();
      commit(one, 1, [0]);
      one.sender.start(session);
      await one.sender.drained();
      await one.sender.settled();
      expect(one.failures.map((error) => error.code)).toEqual([code]);
      expect(one.tracker.ackLsn).toBe(0n);
    },
  );

  it('says which lanes a send that failed was of: all of it, or the one that is sent apart', async () => {
    const one = newSender();
    commit(one, 1, [0, 2]);
    one.sender.start(new StrictSession(['unavailable', 'some', 'partition', 'partition', 'all']));
    await one.sender.drained();
    await one.sender.settled();
    expect(one.failedLanes).toEqual(['0: t/0 t/2', '0: t/2', '1: t/2']);
  });

  it('does not send if it can’t prove that it may', async () => {
    const session = new StrictSession([]);
    const failures: RelayError[] = [];
    const sender = new LaneSender({
      clock,
      limits: { recordsPerSend: 1, bytesPerBatch: 1 },
      backoffMs: () => 1,
      prove: () => Promise.reject(new RelayError('SOURCE_CONNECTION_LOST', 'the slot was lost')),
      onDelivered: () => undefined,
      onRefused: () => undefined,
      onSendFailed: () => undefined,
      onFailed: (error) => failures.push(error),
    });
    commit({ sender, tracker: new AckTracker() }, 1, [0]);
    sender.start(session);
    await sender.drained();
    await sender.settled();
    expect(session.stored.size).toBe(0);
    expect(failures.map(({ code }) => code)).toEqual(['SOURCE_CONNECTION_LOST']);
  });

  it('stores every lane complete and in order, one batch of a lane at a time and after a failure the same, whatever the brokers answer', async () => {
    const outcome = fc.constantFrom<Outcome>(
      'all',
      'some',
      'none',
      'answer-lost',
      'unavailable',
      'partition',
    );
    const transactions = fc.array(
      fc.record({
        partitions: fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }),
        pause: fc.nat(5),
      }),
      { minLength: 1, maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(
        transactions,
        fc.array(outcome, { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(1, 2, 5, Infinity),
        fc.option(
          fc.integer({ min: 0, max: 9 }).map((at) => (at < 5 ? `/${at}` : `${at}/0`)),
          { nil: undefined },
        ),
        fc.boolean(),
        async (commits, outcomes, recordsPerSend, takesRecords, poison, names) => {
          const session = new StrictSession(outcomes, takesRecords, poison, names);
          const one = newSender(recordsPerSend);
          one.sender.start(session);
          const wanted = new Map<string, string[]>();
          const poisoned: string[] = [];
          for (const [index, { partitions, pause }] of commits.entries()) {
            commit(one, index + 1, partitions);
            for (const [at, partition] of partitions.entries()) {
              const lane = laneKey('t', partition);
              const value = `${index + 1}/${at}`;
              if (poison !== undefined && value.endsWith(poison)) poisoned.push(value);
              else wanted.set(lane, [...(wanted.get(lane) ?? []), value]);
            }
            for (let turn = 0; turn < pause; turn += 1) await Promise.resolve();
          }
          await one.sender.drained();
          expect(one.failures).toEqual([]);
          expect(one.refused.toSorted()).toEqual(poisoned.toSorted());
          const stored = new Map(
            Array.from(session.stored, ([lane, records]) => [
              lane,
              records.map(({ value }) => String(value)),
            ]),
          );
          expect(stored).toEqual(wanted);
          expect(one.tracker.ackLsn).toBe(BigInt(commits.length + 1));
          expect(one.sender.bytes).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
