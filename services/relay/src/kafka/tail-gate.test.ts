import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordHeader } from '@outbound/contract';
import { AckTracker, type TrackedTransaction } from '../ack/ack-tracker.ts';
import type { Lsn } from '../wal/lsn.ts';
import type { OutboundRecord } from './outbound-record.ts';
import { laneKey } from './publisher.ts';
import { TailGate, type TailsAhead } from './tail-gate.ts';
import { RefutedTails, type RefutedTail, type Tail } from './tail.ts';

const lsn = (position: number) => BigInt(position) as Lsn;
const at = (commit: number, index = 0) => ({ commitLsn: lsn(commit), index });
const tail = (commit: number, eid = `event ${commit}`, index = 0): Tail => ({
  position: at(commit, index),
  eid,
});

function record(commit: number, partition = 0, eid = `event ${commit}`, index = 0): OutboundRecord {
  return {
    topic: 't',
    partition,
    key: 'k',
    value: null,
    headers: { [recordHeader.id]: eid },
    position: at(commit, index),
    timestampMs: 0,
  };
}

/** A gate with the tracker behind it, fed with transactions as the pipeline feeds it. */
class Rig {
  readonly tracker = new AckTracker();
  readonly refuted: RefutedTails;
  readonly told: RefutedTail[] = [];
  readonly met: [string, number][] = [];
  readonly ahead: TailsAhead[] = [];
  readonly mustReadAgain: RefutedTail[][] = [];
  readonly sent: OutboundRecord[] = [];
  readonly letGo: OutboundRecord[] = [];
  readonly gate: TailGate;
  /** Undelivered records of what was sent. */
  readonly waiting: TrackedTransaction[] = [];

  constructor(refuted = new RefutedTails()) {
    this.refuted = refuted;
    this.gate = new TailGate({
      refuted,
      onDelivered: (transaction) => this.tracker.delivered(transaction),
      onWithheld: (each) => this.letGo.push(each),
      onAhead: (each) => this.ahead.push(each),
      onMet: (lane, records) => this.met.push([lane, records]),
      onRefuted: (each) => this.told.push(...each),
      onMustReadAgain: (each) => this.mustReadAgain.push([...each]),
    });
  }

  open(
    tails: Readonly<Record<number, Tail>>,
    bounds: { startLsn?: number; flushedLsn?: number } = {},
    queued: readonly OutboundRecord[] = [],
  ): this {
    const { startLsn = 0, flushedLsn = 1_000_000 } = bounds;
    const byLane = Object.entries(tails).map(
      ([partition, each]) => [laneKey('t', Number(partition)), each] as const,
    );
    this.gate.open(
      new Map(byLane),
      { startLsn: lsn(startLsn), flushedLsn: lsn(flushedLsn) },
      (admits) => {
        for (const each of queued) this.#show(each, admits, this.tracker.begin());
      },
    );
    return this;
  }

  /** A transaction of the log, with these records; `end` is one behind its commit. */
  read(...records: readonly OutboundRecord[]): void {
    const commitLsn = records[0]?.position.commitLsn ?? lsn(0);
    this.gate.passed(commitLsn);
    const transaction = this.tracker.begin();
    for (const each of records) this.#show(each, (r, t) => this.gate.admits(r, t), transaction);
    const endLsn = (commitLsn + 1n) as Lsn;
    this.tracker.commit(transaction, endLsn);
    this.gate.passed(endLsn);
  }

  keepalive(walEnd: number): void {
    this.gate.passed(lsn(walEnd));
    this.tracker.keepalive(lsn(walEnd));
  }

  /** Kafka has what was sent. */
  deliver(): void {
    for (const transaction of this.waiting.splice(0)) this.tracker.delivered(transaction);
  }

  get commits(): number[] {
    return this.sent.map(({ position }) => Number(position.commitLsn));
  }

  #show(
    each: OutboundRecord,
    admits: (record: OutboundRecord, transaction: TrackedTransaction) => boolean,
    transaction: TrackedTransaction,
  ): void {
    transaction.undelivered += 1;
    if (!admits(each, transaction)) return;
    this.sent.push(each);
    this.waiting.push(transaction);
  }
}

describe('a tail that the log meets', () => {
  it('is believed when its very event is at its very position, and not before: until then nothing is acknowledged', () => {
    const rig = new Rig().open({ 0: tail(30) });
    rig.read(record(10));
    rig.read(record(20));
    expect(rig.gate).toMatchObject({ undecided: 1, withheld: 2 });
    expect(rig.tracker.ackLsn).toBe(0n);
    rig.read(record(30));
    expect(rig.met).toEqual([['t/0', 3]]);
    expect(rig.tracker.ackLsn).toBe(31n);
    rig.read(record(40));
    expect(rig.commits).toEqual([40]);
    expect(rig.letGo).toHaveLength(3);
    expect(rig.told).toEqual([]);
    expect(rig.gate).toMatchObject({ undecided: 0, withheld: 0 });
  });

  it('is met inside a transaction, whose later records are sent', () => {
    const rig = new Rig().open({ 0: tail(10, 'b', 1) });
    rig.read(record(10, 0, 'a', 0), record(10, 0, 'b', 1), record(10, 0, 'c', 2));
    expect(rig.sent.map(({ headers }) => headers[recordHeader.id])).toEqual(['c']);
    expect(rig.tracker.ackLsn).toBe(0n);
    rig.deliver();
    expect(rig.tracker.ackLsn).toBe(11n);
  });

  it('is met by what was read before the tails were known', () => {
    const rig = new Rig().open({ 0: tail(20) }, {}, [record(10), record(20), record(30)]);
    expect(rig.commits).toEqual([30]);
    expect(rig.met).toEqual([['t/0', 2]]);
  });

  it('is met by an event that is left out, as by one that is published', () => {
    const rig = new Rig().open({ 0: tail(20) });
    rig.read(record(10));
    rig.gate.leftOut(at(20), 'event 20');
    expect(rig.met).toEqual([['t/0', 1]]);
    rig.read(record(30));
    expect(rig.commits).toEqual([30]);

    const early = new Rig();
    early.gate.leftOut(at(20), 'event 20');
    early.open({ 0: tail(20) }, {}, [record(10), record(30)]);
    expect(early.commits).toEqual([30]);
    expect(early.told).toEqual([]);
  });

  it('says nothing of other lanes, which wait for their own', () => {
    const rig = new Rig().open({ 0: tail(20), 1: tail(40) });
    rig.read(record(10, 1));
    rig.read(record(20, 0));
    rig.read(record(30, 2));
    expect(rig.met).toEqual([['t/0', 1]]);
    expect(rig.commits).toEqual([30]);
    expect(rig.gate).toMatchObject({ undecided: 1, withheld: 1 });
    expect(rig.tracker.ackLsn).toBe(0n);
    rig.read(record(40, 1));
    rig.deliver();
    expect(rig.tracker.ackLsn).toBe(41n);
  });
});

describe('a tail that the log does not have', () => {
  it('is refuted at once where the log is not written that far, and everything is sent', () => {
    const rig = new Rig().open({ 0: tail(50) }, { flushedLsn: 50 }, [record(10)]);
    rig.read(record(20));
    expect(rig.commits).toEqual([10, 20]);
    expect(rig.told).toMatchObject([{ lane: 't/0', found: { kind: 'end' }, withheld: 0 }]);
    expect(rig.mustReadAgain).toEqual([]);
  });

  it('is refuted by another event at its position, and by the same event at another', () => {
    const other = new Rig().open({ 0: tail(20) });
    other.read(record(20, 0, 'of another history'));
    expect(other.told).toMatchObject([
      { found: { kind: 'other-event', eid: 'of another history' } },
    ]);
    expect(other.commits).toEqual([20]);

    const moved = new Rig().open({ 0: tail(20, 'moved') });
    moved.read(record(21, 0, 'moved'));
    expect(moved.told).toMatchObject([{ found: { kind: 'no-event' } }]);
    expect(moved.commits).toEqual([21]);
  });

  it.each([
    ['a transaction that begins behind it', (rig: Rig) => rig.read(record(21, 1))],
    ['the end of its transaction', (rig: Rig) => rig.read(record(20, 1, 'x', 4))],
    ['a keepalive from behind it', (rig: Rig) => rig.keepalive(21)],
    ['a later record of its transaction', (rig: Rig) => rig.read(record(20, 0, 'x', 9))],
  ])('is refuted by %s, and nothing was withheld, so the lane goes on', (_, goOn) => {
    const rig = new Rig().open({ 0: tail(20, 'gone', 7) });
    goOn(rig);
    expect(rig.told).toMatchObject([{ found: { kind: 'no-event' }, withheld: 0 }]);
    rig.read(record(30));
    expect(rig.commits).toContain(30);
    expect(rig.mustReadAgain).toEqual([]);
  });

  it('is not refuted by a keepalive from before its commit or at it', () => {
    const rig = new Rig().open({ 0: tail(20) });
    rig.keepalive(20);
    rig.read(record(20));
    expect(rig.told).toEqual([]);
    expect(rig.met).toEqual([['t/0', 1]]);
  });

  it('has its records read again where some were withheld: none of the lane overtakes them, none is acknowledged', () => {
    const rig = new Rig().open({ 0: tail(20) });
    rig.read(record(10));
    rig.read(record(25));
    rig.read(record(30));
    rig.read(record(31, 1));
    rig.deliver();
    expect(rig.mustReadAgain).toMatchObject([[{ lane: 't/0', withheld: 1 }]]);
    expect(rig.commits).toEqual([31]);
    expect(rig.tracker.ackLsn).toBe(0n);

    const again = new Rig(rig.refuted).open({ 0: tail(20) });
    for (const commit of [10, 25, 30]) again.read(record(commit));
    expect(again.commits).toEqual([10, 25, 30]);
    expect(again.told).toEqual([]);
  });

  it('waits with that for every other tail, so that one more session knows them all', () => {
    const rig = new Rig().open({ 0: tail(20), 1: tail(40), 2: tail(60) });
    rig.read(record(10, 0), record(10, 1, 'x', 1));
    rig.read(record(30, 0));
    expect(rig.mustReadAgain).toEqual([]);
    rig.read(record(50, 1));
    expect(rig.mustReadAgain).toEqual([]);
    rig.read(record(60, 2));
    expect(rig.mustReadAgain).toMatchObject([[{ lane: 't/0' }, { lane: 't/1' }]]);
  });
});

describe('a tail before what the slot has confirmed', () => {
  it('is nothing to be met: all that comes is behind it', () => {
    const rig = new Rig().open({ 0: tail(20), 1: tail(30) }, { startLsn: 30 });
    expect(rig.gate.undecided).toBe(1);
    expect(rig.ahead).toEqual([{ partitions: 1, startLsn: 30n, furthestLsn: 30n }]);
    rig.read(record(35, 0));
    expect(rig.commits).toEqual([35]);
    expect(rig.told).toMatchObject([{ lane: 't/1' }]);
  });
});

describe('any log and any tails', () => {
  /** Transactions at rising positions, with a record of a lane each; and for each lane a tail that is in it or is not. */
  const worlds = fc.record({
    lanes: fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }),
    tails: fc.array(fc.record({ at: fc.integer({ min: 0, max: 35 }), isOurs: fc.boolean() }), {
      maxLength: 3,
    }),
    known: fc.nat(30),
  });

  it('acknowledges nothing that is neither sent nor proven, and sends everything that is not proven after one more session at the most', () => {
    fc.assert(
      fc.property(worlds, ({ lanes, tails, known }) => {
        const log = lanes.map((lane, index) => record(index * 10, lane));
        const end = log.length * 10;
        /** What the partition is proven to hold: up to its tail, if the log has that. */
        const held = new Map<number, number>();
        const all: Record<number, Tail> = {};
        for (const [lane, { at: place, isOurs }] of tails.entries()) {
          const isMet = isOurs && lanes[place] === lane;
          all[lane] = tail(place * 10, isMet ? `event ${place * 10}` : 'of another history');
          if (isMet) held.set(lane, place * 10);
        }
        const refuted = new RefutedTails();
        const wanted = log.filter(
          ({ partition, position }) => Number(position.commitLsn) > (held.get(partition) ?? -1),
        );
        for (let session = 1; session <= 2; session += 1) {
          const rig = new Rig(refuted);
          for (const each of log.slice(0, known)) rig.gate.passed(each.position.commitLsn);
          const queued = log.slice(0, known);
          rig.open(all, { flushedLsn: end }, queued);
          for (const each of log.slice(known)) rig.read(each);
          rig.keepalive(end);
          expect(rig.gate.undecided).toBe(0);
          const sent = new Set(rig.sent);
          for (const [index, each] of log.entries()) {
            const isThere = Number(each.position.commitLsn) <= (held.get(each.partition) ?? -1);
            if (index >= known && !sent.has(each) && !isThere)
              expect(rig.tracker.ackLsn).toBeLessThanOrEqual(each.position.commitLsn);
          }
          if (rig.mustReadAgain.length > 0) {
            expect(session).toBe(1);
            continue;
          }
          expect(rig.sent).toEqual(wanted);
          return;
        }
      }),
      { numRuns: 3000 },
    );
  });
});
