import { KafkaError, type Committed, type OnWaiting } from '@outbound/kafka';
import { systemClock } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import { noLsn } from '../wal/lsn.ts';
import { laneKey, type LaneAnswer, type LaneBatch, type PublisherSession } from './publisher.ts';
import { TransactionalSession } from './transactional-session.ts';

function batch(partition: number, key = 'k'): LaneBatch {
  const place = { topic: 't', partition };
  const record = { key, value: null, headers: {}, position: { commitLsn: noLsn, index: 0 } };
  return { ...place, records: [{ ...place, ...record, timestampMs: 0 }] };
}

const stored = ({ topic, partition }: LaneBatch): LaneAnswer => ({
  topic,
  partition,
  baseOffset: 0n,
});

/** A session over a broker that answers as `answer` says, and a coordinator; both write down what they are asked. */
function rig({
  answer = (batches: readonly LaneBatch[]) => batches.map(stored),
  add = () => Promise.resolve(),
  commit = () => Promise.resolve({ isLastOfEpoch: false }),
  storeWithinMs = 60_000,
  wasAbortedByTime = false,
}: {
  answer?: (batches: readonly LaneBatch[], time: number) => readonly LaneAnswer[];
  add?: (onWaiting: OnWaiting) => Promise<void>;
  commit?: (onWaiting: OnWaiting) => Promise<Committed>;
  storeWithinMs?: number;
  wasAbortedByTime?: boolean;
} = {}) {
  const told: string[] = [];
  const lanes = (batches: readonly { topic: string; partition: number }[]) =>
    batches.map(({ topic, partition }) => laneKey(topic, partition)).join(' ');
  let times = 0;
  const inner: PublisherSession = {
    tails: new Map(),
    leaderOf: () => 1,
    mustRenew: () => false,
    send: async (batches) => {
      told.push(`send ${lanes(batches)}`);
      times += 1;
      return Promise.resolve(answer(batches, times));
    },
    close: async () => {
      told.push('close');
      return Promise.resolve();
    },
  };
  const waits: string[] = [];
  const session = new TransactionalSession({
    session: inner,
    transactions: {
      add: async (partitions, onWaiting = () => undefined) => {
        told.push(`add ${lanes(partitions)}`);
        return add(onWaiting);
      },
      commit: async (onWaiting = () => undefined) => {
        told.push('commit');
        return commit(onWaiting);
      },
      retire: async (partitions) => {
        told.push(`retire ${lanes(partitions)}`);
        return Promise.resolve();
      },
      wasAbortedByTime: () => Promise.resolve(wasAbortedByTime),
    },
    onWaiting: ({ code, message }, attempt, stuck) =>
      waits.push(`${code} ${message}, ${attempt}: ${stuck.join(' ')}`),
    clock: systemClock,
    storeWithinMs,
    closing: new AbortController(),
  });
  return { session, told, waits };
}

describe('TransactionalSession', () => {
  it('confirms a batch when its transaction is committed, and not before', async () => {
    let commits: (() => void) | undefined;
    let isCommitting: (() => void) | undefined;
    const committing = new Promise<void>((resolve) => (isCommitting = resolve));
    const { session, told } = rig({
      commit: () => {
        isCommitting?.();
        return new Promise((resolve) => (commits = () => resolve({ isLastOfEpoch: false })));
      },
    });
    let isConfirmed = false;
    const sending = session.send([batch(0)]).then((answers) => {
      isConfirmed = true;
      return answers;
    });
    await committing;
    expect(told).toEqual(['add t/0', 'send t/0', 'commit']);
    expect(isConfirmed).toBe(false);
    commits?.();
    expect(await sending).toEqual([stored(batch(0))]);
  });

  it('puts what the lanes of several brokers send in one turn into one transaction, and gives each its own answers', async () => {
    const { session, told } = rig();
    const answers = await Promise.all([
      session.send([batch(0), batch(1)]),
      session.send([batch(2)]),
    ]);
    expect(told).toEqual(['add t/0 t/1 t/2', 'send t/0 t/1 t/2', 'commit']);
    expect(answers).toEqual([[stored(batch(0)), stored(batch(1))], [stored(batch(2))]]);
  });

  it('lets what is sent meanwhile wait for the next transaction', async () => {
    let second: Promise<unknown> | undefined;
    const { session, told } = rig({
      answer: (batches) => {
        second ??= session.send([batch(1)]);
        return batches.map(stored);
      },
    });
    await session.send([batch(0)]);
    await second;
    expect(told).toEqual(['add t/0', 'send t/0', 'commit', 'add t/1', 'send t/1', 'commit']);
  });

  it('sends what no answer tells of again, always the same batch, and commits only then', async () => {
    const batches = [batch(0), batch(1)];
    const seen: LaneBatch[] = [];
    const { session, told } = rig({
      answer: (asked, time) => {
        seen.push(...asked);
        if (time === 2) throw new RelayError('SINK_UNAVAILABLE', 'nobody answers');
        return asked.slice(0, time === 1 ? 1 : 2).map(stored);
      },
    });
    expect(await session.send(batches)).toHaveLength(2);
    expect(told).toEqual(['add t/0 t/1', 'send t/0 t/1', 'send t/1', 'send t/1', 'commit']);
    expect(seen.slice(2).every((each) => each === batches[1])).toBe(true);
  });

  it('commits the others where a broker refuses a batch for what is in it, and tells of the refusal', async () => {
    const refusal = { topic: 't', partition: 1, refusal: 'MESSAGE_TOO_LARGE' };
    const { session, told } = rig({
      answer: ([first]) => (first ? [stored(first), refusal] : []),
    });
    expect(await session.send([batch(0), batch(1)])).toEqual([stored(batch(0)), refusal]);
    expect(told.at(-1)).toBe('commit');
  });

  it('is of no more use when a transaction cannot be committed, and never says that its batches may be sent again', async () => {
    const { session, told } = rig({
      commit: () => Promise.reject(new RelayError('SINK_UNAVAILABLE', 'the coordinator is away')),
    });
    const first = session.send([batch(0)]);
    await expect(first).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    await expect(session.send([batch(0)])).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    expect(told).toEqual(['add t/0', 'send t/0', 'commit']);
  });

  it('confirms what a commit behind which none may follow has committed, and begins no other transaction', async () => {
    let other: Promise<unknown> | undefined;
    const { session, told } = rig({
      answer: (batches) => {
        other ??= session.send([batch(1)]);
        return batches.map(stored);
      },
      commit: () => Promise.resolve({ isLastOfEpoch: true }),
    });
    expect(session.mustRenew()).toBe(false);
    expect(await session.send([batch(0)])).toEqual([stored(batch(0))]);
    await expect(other).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    await expect(session.send([batch(2)])).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    expect(session.mustRenew()).toBe(true);
    expect(told).toEqual(['add t/0', 'send t/0', 'commit']);
  });

  it('gives a transaction up that waits for a partition for too long, without a commit', async () => {
    const { session, told } = rig({ answer: () => [], storeWithinMs: -1 });
    await expect(session.send([batch(0)])).rejects.toThrow(/1 partitions, t\/0 first/);
    expect(told).toEqual(['add t/0', 'send t/0']);
  });

  it('keeps a verdict as it is: a fenced relay is fenced', async () => {
    const { session } = rig({
      commit: () => Promise.reject(new RelayError('SINK_FENCED', 'a newer epoch')),
    });
    await expect(session.send([batch(0)])).rejects.toMatchObject({ code: 'SINK_FENCED' });
  });

  it.each(['commit', 'send'] as const)(
    'says that a transaction took too long, and not that a newer relay is there, where the coordinator took the epoch away (%s)',
    async (where) => {
      const fenced = new RelayError('SINK_FENCED', 'INVALID_PRODUCER_EPOCH');
      const { session } = rig({
        wasAbortedByTime: true,
        ...(where === 'commit'
          ? { commit: () => Promise.reject(fenced) }
          : {
              answer: () => {
                throw fenced;
              },
            }),
      });
      await expect(session.send([batch(0)])).rejects.toMatchObject({
        code: 'SINK_SESSION_BROKEN',
        message: expect.stringMatching(/open for too long.*no newer relay/) as string,
      });
      // For good: its batches are in a transaction that was aborted.
      await expect(session.send([batch(1)])).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    },
  );

  it('tells those who wait when it is closed', async () => {
    const { session, told } = rig({
      answer: () => {
        closing ??= session.close();
        throw new RelayError('SINK_UNAVAILABLE', 'closed');
      },
    });
    let closing: Promise<void> | undefined;
    await expect(session.send([batch(0)])).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    await closing;
    expect(told).not.toContain('commit');
  });

  it('tells which partitions take nothing while a transaction waits for its coordinator, or for one of them', async () => {
    const away = new KafkaError('KAFKA_UNAVAILABLE', 'the coordinator is away');
    const { session, waits } = rig({
      add: async (onWaiting) => Promise.resolve(onWaiting(away, 0)),
      answer: (batches, time) => batches.slice(0, time === 1 ? 1 : 2).map(stored),
      commit: async (onWaiting) => {
        onWaiting(away, 0);
        onWaiting(away, 1);
        return Promise.resolve({ isLastOfEpoch: false });
      },
    });
    await session.send([batch(0), batch(1)]);
    expect(waits).toEqual([
      'SINK_UNAVAILABLE the coordinator is away, 0: t/0 t/1',
      'SINK_UNAVAILABLE its answer left them out, 0: t/1',
      'SINK_UNAVAILABLE the coordinator is away, 0: t/0 t/1',
      'SINK_UNAVAILABLE the coordinator is away, 1: t/0 t/1',
    ]);
  });

  it('retires its epoch when it is closed with a transaction open, before the connections are given up', async () => {
    const { session, told } = rig({
      answer: () => {
        closing ??= session.close();
        throw new RelayError('SINK_UNAVAILABLE', 'the partition has no leader');
      },
    });
    let closing: Promise<void> | undefined;
    await expect(session.send([batch(0)])).rejects.toMatchObject({ code: 'SINK_SESSION_BROKEN' });
    await closing;
    expect(told).toEqual(['add t/0', 'send t/0', 'retire t/0', 'close']);
  });

  it('retires nothing where no transaction is open', async () => {
    const { session, told } = rig();
    await session.send([batch(0)]);
    await session.close();
    expect(told).toEqual(['add t/0', 'send t/0', 'commit', 'close']);
  });
});
