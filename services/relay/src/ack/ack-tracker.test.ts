import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noLsn, type Lsn } from '../wal/lsn.ts';
import { AckTracker, type TrackedTransaction } from './ack-tracker.ts';

const lsn = (position: number) => BigInt(position) as Lsn;

/** A transaction of so many records, read to its end. */
function read(tracker: AckTracker, records: number, endLsn: Lsn): TrackedTransaction {
  const transaction = tracker.begin();
  transaction.undelivered += records;
  tracker.commit(transaction, endLsn);
  return transaction;
}

describe('AckTracker', () => {
  it('acknowledges nothing before anything was delivered', () => {
    const tracker = new AckTracker();
    read(tracker, 1, lsn(10));
    expect(tracker.ackLsn).toBe(noLsn);
    expect(tracker.isIdle).toBe(false);
  });

  it('acknowledges the exact end of a delivered transaction, not one more', () => {
    const tracker = new AckTracker();
    tracker.delivered(read(tracker, 2, lsn(10)), 2);
    expect(tracker.ackLsn).toBe(10n);
    expect(tracker.isIdle).toBe(true);
  });

  it('waits for every earlier transaction, whatever is delivered first', () => {
    const tracker = new AckTracker();
    const first = read(tracker, 1, lsn(10));
    const second = read(tracker, 1, lsn(20));
    tracker.delivered(second);
    expect(tracker.ackLsn).toBe(noLsn);
    tracker.delivered(first);
    expect(tracker.ackLsn).toBe(20n);
  });

  it('does not acknowledge a transaction whose records are all delivered before its commit was read', () => {
    const tracker = new AckTracker();
    const transaction = tracker.begin();
    transaction.undelivered += 1;
    tracker.delivered(transaction);
    expect(tracker.isIdle).toBe(false);
    tracker.commit(transaction, lsn(10));
    expect(tracker.ackLsn).toBe(10n);
  });

  it('acknowledges a transaction without records with its commit', () => {
    const tracker = new AckTracker();
    read(tracker, 0, lsn(10));
    expect(tracker.ackLsn).toBe(10n);
  });

  it('follows a keepalive when nothing is in flight', () => {
    const tracker = new AckTracker();
    tracker.keepalive(lsn(10));
    expect(tracker.ackLsn).toBe(10n);
    tracker.keepalive(lsn(5));
    expect(tracker.ackLsn).toBe(10n);
  });

  it('does not follow a keepalive past what is in flight, and makes up for it afterwards', () => {
    const tracker = new AckTracker();
    const transaction = read(tracker, 1, lsn(10));
    tracker.keepalive(lsn(50));
    expect(tracker.ackLsn).toBe(noLsn);
    tracker.delivered(transaction);
    expect(tracker.ackLsn).toBe(50n);
  });

  it('does not let a keepalive inside a transaction raise the one before', () => {
    const tracker = new AckTracker();
    const first = read(tracker, 1, lsn(10));
    const second = tracker.begin();
    second.undelivered += 1;
    tracker.keepalive(lsn(15));
    tracker.delivered(first);
    expect(tracker.ackLsn).toBe(10n);
    tracker.commit(second, lsn(20));
    tracker.delivered(second);
    expect(tracker.ackLsn).toBe(20n);
  });

  it('keeps one entry behind a stuck transaction, however many are delivered after it', () => {
    const tracker = new AckTracker();
    const stuck = read(tracker, 1, lsn(10));
    for (let n = 2; n <= 1000; n += 1) {
      tracker.delivered(read(tracker, 1, lsn(10 * n)));
      read(tracker, 0, lsn(10 * n + 5));
    }
    expect(tracker.length).toBe(1);
    expect(tracker.ackLsn).toBe(noLsn);
    tracker.delivered(stuck);
    expect(tracker.ackLsn).toBe(10_005n);
    expect(tracker).toMatchObject({ length: 0, isIdle: true });
  });

  it('keeps what is undelivered between others that are delivered: none of their ends reaches over it', () => {
    const tracker = new AckTracker();
    const [first, second, third, fourth] = [10, 20, 30, 40].map((end) =>
      read(tracker, 1, lsn(end)),
    );
    if (!first || !second || !third || !fourth) return expect.fail('there are four');
    tracker.delivered(fourth);
    tracker.delivered(second);
    expect(tracker.length).toBe(2);
    tracker.delivered(first);
    expect(tracker.ackLsn).toBe(20n);
    tracker.delivered(third);
    expect(tracker.ackLsn).toBe(40n);
  });

  it('never passes an undelivered commit, never falls, and ends at the end, in any order of deliveries and keepalives', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('read' as const), records: fc.nat(4) }),
      fc.record({ kind: fc.constant('deliver' as const), which: fc.nat() }),
      fc.record({ kind: fc.constant('keepalive' as const), ahead: fc.nat(3) }),
      fc.record({ kind: fc.constant('begin' as const), records: fc.nat(4) }),
      fc.record({ kind: fc.constant('commit' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tracker = new AckTracker();
        const transactions: { tracked: TrackedTransaction; end: bigint | undefined }[] = [];
        let walEnd = 0n;
        let before: bigint = noLsn;
        const open = () => transactions.find(({ end }) => end === undefined);
        const begin = (records: number): void => {
          const tracked = tracker.begin();
          tracked.undelivered += records;
          transactions.push({ tracked, end: undefined });
        };
        const commit = (): void => {
          const transaction = open();
          if (!transaction) return;
          walEnd += 10n;
          transaction.end = walEnd;
          tracker.commit(transaction.tracked, walEnd as Lsn);
        };
        const deliver = (which: number): void => {
          const waiting = transactions.filter(({ tracked }) => tracked.undelivered > 0);
          const chosen = waiting[which % Math.max(1, waiting.length)];
          if (chosen) tracker.delivered(chosen.tracked);
        };
        const judge = (): void => {
          expect(tracker.ackLsn).toBeGreaterThanOrEqual(before);
          before = tracker.ackLsn;
          for (const { tracked, end } of transactions)
            if (end !== undefined && tracked.undelivered > 0)
              expect(tracker.ackLsn).toBeLessThan(end);
          const listed = transactions.filter(
            ({ tracked, end }) => end === undefined || tracked.undelivered > 0,
          );
          expect(tracker.length).toBe(listed.length);
          // The commit record of an open transaction will begin at or after everything that was read.
          if (open()) expect(tracker.ackLsn).toBeLessThanOrEqual(walEnd);
        };
        for (const each of steps) {
          if (each.kind === 'deliver') deliver(each.which);
          else if (each.kind === 'keepalive') {
            if (!open()) walEnd += BigInt(each.ahead);
            tracker.keepalive(walEnd as Lsn);
          } else if (each.kind === 'commit') commit();
          else if (!open()) {
            begin(each.records);
            if (each.kind === 'read') commit();
          }
          judge();
        }
        commit();
        while (transactions.some(({ tracked }) => tracked.undelivered > 0)) {
          deliver(0);
          judge();
        }
        expect(tracker.isIdle).toBe(true);
        expect(tracker.ackLsn).toBe(walEnd);
      }),
      { numRuns: 2000 },
    );
  });
});
