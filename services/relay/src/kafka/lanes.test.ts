import { aloneInBatchBytes } from '@outbound/kafka';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrackedTransaction } from '../ack/ack-tracker.ts';
import type { Lsn } from '../wal/lsn.ts';
import { Lane, Lanes } from './lanes.ts';
import { recordBytes, type OutboundRecord } from './outbound-record.ts';

const transaction: TrackedTransaction = {
  undelivered: 0,
  endLsn: undefined,
  previous: undefined,
  next: undefined,
};
const wide = { records: 1000, bytes: 1_000_000 };

function record(commitLsn: number, index = 0, bytes = 10): OutboundRecord {
  return {
    topic: 't',
    partition: 0,
    key: 'k',
    value: Buffer.alloc(bytes),
    headers: {},
    position: { commitLsn: BigInt(commitLsn) as Lsn, index },
    timestampMs: 0,
  };
}

function laneOf(...records: readonly OutboundRecord[]): Lane {
  const lane = new Lane('t', 0);
  for (const each of records) lane.push(each, transaction);
  return lane;
}

describe('Lane', () => {
  it('gives records in the order in which they came, within both bounds', () => {
    const [a, b, c] = [record(1), record(2), record(3)];
    const lane = laneOf(a, b, c);
    const first = lane.take({ records: 2, bytes: 1_000_000 });
    expect(first?.records).toEqual([a, b]);
    if (first) lane.confirm(first);
    expect(lane.take({ records: 2, bytes: 1 })?.records).toEqual([c]);
  });

  it('gives a record that alone exceeds the byte bound, by itself', () => {
    const lane = laneOf(record(1, 0, 5000), record(2, 0, 5000));
    expect(lane.take({ records: 10, bytes: 100 })?.records).toHaveLength(1);
  });

  it('has nothing to give while a batch is out, whatever is queued', () => {
    const lane = laneOf(record(1));
    const batch = lane.take(wide);
    lane.push(record(2), transaction);
    expect(lane.isReady).toBe(false);
    expect(() => lane.take(wide)).toThrow('lane t/0 has a batch out already');
    if (batch) lane.confirm(batch);
    expect(lane.isReady).toBe(true);
  });

  it('frees itself only for the very batch that is out', () => {
    const lane = laneOf(record(1));
    const batch = lane.take(wide);
    expect(batch).toBeDefined();
    if (batch) expect(() => lane.confirm({ ...batch })).toThrow('a batch that is not out');
  });

  it('counts keys and headers, in bytes of UTF-8, against the bytes that a batch may have', () => {
    const long = (lsn: number): OutboundRecord => ({
      ...record(lsn, 0, 0),
      value: null,
      key: 'ü'.repeat(255),
      headers: { flow_id: 'ü'.repeat(4000) },
    });
    const lane = laneOf(...Array.from({ length: 300 }, (_, index) => long(index + 1)));
    const out = lane.take({ records: 1000, bytes: 1_000_000 });
    const wire = out?.records.reduce((sum, each) => sum + aloneInBatchBytes(each), 0) ?? 0;
    expect(wire).toBeGreaterThan(500_000);
    expect(wire).toBeLessThan(1_000_000);
  });

  it('has the records of a refused batch first in its queue again, and gives batches half as large from then on', () => {
    const lane = laneOf(...[1, 2, 3, 4, 5].map((lsn) => record(lsn, 0, 1000)));
    const first = lane.take({ records: 4, bytes: 1e6 });
    if (first) expect(lane.refuse(first)).toEqual([]);
    const lsns = (out: ReturnType<Lane['take']>) =>
      out?.records.map(({ position }) => Number(position.commitLsn));
    const half = lane.take(wide);
    expect(lsns(half)).toEqual([1, 2]);
    if (half) expect(lane.refuse(half)).toEqual([]);
    const alone = lane.take(wide);
    expect(lsns(alone)).toEqual([1]);
    if (alone) expect(lane.refuse(alone)).toMatchObject([{ record: alone.records[0] }]);
    expect(lsns(lane.take(wide))).toEqual([2]);
    expect(lane.length).toBe(4);
  });

  it('keeps what is wanted of its queue, asked for in order', () => {
    const lane = laneOf(record(1), record(2), record(3));
    const asked: bigint[] = [];
    lane.sift(({ position }) => {
      asked.push(position.commitLsn);
      return position.commitLsn !== 2n;
    });
    expect(asked).toEqual([1n, 2n, 3n]);
    expect(lane.length).toBe(2);
    expect(lane.take(wide)?.records.map(({ position }) => position.commitLsn)).toEqual([1n, 3n]);
  });

  it('gives every record once, in order, in any interleaving of pushes, takes and confirmations', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ kind: fc.constant('take' as const), records: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ kind: fc.constant('confirm' as const), records: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const lane = new Lane('t', 0);
        let pushed = 0;
        let out: ReturnType<Lane['take']>;
        const given: bigint[] = [];
        const take = (records: number): void => {
          out = lane.take({ records, bytes: 1e9 });
          for (const { position } of out?.records ?? []) given.push(position.commitLsn);
          expect(out?.bytes).toBe(out?.records.reduce((sum, each) => sum + recordBytes(each), 0));
        };
        const confirm = (): void => {
          if (out) lane.confirm(out);
          out = undefined;
        };
        for (const each of steps)
          if (each.kind === 'push')
            for (let i = 0; i < each.count; i += 1) lane.push(record((pushed += 1)), transaction);
          else if (each.kind === 'confirm') confirm();
          else if (!out) take(each.records);
        confirm();
        while (lane.isReady) {
          take(1000);
          confirm();
        }
        const all = Array.from({ length: pushed }, (_, index) => BigInt(index + 1));
        expect(given).toEqual(all);
        expect(lane.isEmpty).toBe(true);
        expect(lane.length).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('Lane, where the broker names the records that it refuses', () => {
  it('gives them all at once, and the others go on in their order and as many as before', () => {
    const [a, b, c, d] = [record(1), record(2), record(3), record(4)];
    const lane = laneOf(a, b, c, d);
    const batch = lane.take({ records: 3, bytes: 1_000_000 });
    const refused = batch ? lane.refuse(batch, [0, 2]) : [];
    expect(refused.map((each) => each.record)).toEqual([a, c]);
    expect(lane.take(wide)?.records).toEqual([b, d]);
  });
});

describe('Lanes', () => {
  it('give nothing that stands behind an unconfirmed barrier, whichever is confirmed first, and all else', () => {
    const lanes = new Lanes();
    const lane = lanes.lane('t', 0);
    const [a, b, c] = [record(1), record(2), record(3)];
    const [first, second] = [record(10), record(11)];
    lane.push(a, transaction, lanes.barriers.issued);
    lanes.barriers.raise(first);
    lane.push(b, transaction, lanes.barriers.issued);
    lanes.barriers.raise(second);
    lane.push(c, transaction, lanes.barriers.issued);
    lanes.lane('journal', 0).push(second, transaction, 0);
    const next = () => {
      const batch = lane.isReady ? lane.take(wide) : undefined;
      if (batch) lane.confirm(batch);
      return batch?.records ?? [];
    };
    expect(lanes.lane('journal', 0).isReady).toBe(true);
    expect([next(), next()]).toEqual([[a], []]);
    lanes.barriers.confirmed([second]);
    expect(next()).toEqual([]);
    lanes.barriers.confirmed([first]);
    expect(next()).toEqual([b, c]);
    expect(lane.isEmpty).toBe(true);
  });

  it('groups the lanes that are ready by the broker that leads them', () => {
    const lanes = new Lanes();
    for (const partition of [0, 1, 2, 3])
      lanes.lane('t', partition).push({ ...record(1), partition }, transaction);
    lanes.lane('t', 3).take(wide);
    const ready = lanes.readyByLeader((_, partition) => partition % 2);
    expect(
      [...ready].map(([leader, each]) => [leader, each.map((lane) => lane.partition)]),
    ).toEqual([
      [0, [0, 2]],
      [1, [1]],
    ]);
    expect(lanes.isEmpty).toBe(false);
  });
});
