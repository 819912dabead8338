import { changeRoute, partitionOf, stateRoute, type DataOp } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { contentHash } from './content-hash.ts';
import type { CommittedEvent, History, PublishedRecord } from './history.ts';
import { checkHistory } from './history-checker.ts';
import { duplicateAllowance } from './history.ts';

const partitions = 3;
const routes = new Map([
  [
    'item-change',
    [
      changeRoute('item-change', { partitions, retentionMs: 1 }),
      stateRoute('item', { partitions, retentionMs: 1 }),
    ],
  ],
]);

function event(
  key: string,
  version: number,
  dataOp: DataOp = version === 1 ? 'C' : 'U',
): CommittedEvent {
  const eid = `${key}-${version}`;
  return {
    eid,
    type: 'item-change',
    aggregateId: key,
    version,
    dataOp,
    valueHash: contentHash(`value of ${eid}`),
    commitEndLsn: BigInt(version * 100),
  };
}

/** Everything published once, in commit order: what a flawless relay leaves behind. */
class Topics {
  readonly records: PublishedRecord[] = [];
  readonly #ends = new Map<string, number>();

  publish(event: CommittedEvent, ...topics: readonly string[]): this {
    for (const topic of topics.length > 0 ? topics : ['item-change', 'item'])
      this.put(topic, event, {});
    return this;
  }

  put(topic: string, event: CommittedEvent, over: Partial<PublishedRecord>): this {
    const partition = over.partition ?? partitionOf(event.aggregateId, partitions);
    const lane = `${topic}/${partition}`;
    const offset = this.#ends.get(lane) ?? 0;
    this.#ends.set(lane, offset + 1);
    this.records.push({
      topic,
      partition,
      offset,
      key: event.aggregateId,
      eid: event.eid,
      valueHash: topic === 'item' && event.dataOp === 'D' ? null : event.valueHash,
      dataOp: event.dataOp,
      ...over,
    });
    return this;
  }

  get ends(): ReadonlyMap<string, number> {
    return new Map(this.#ends);
  }
}

const a1 = event('a', 1);
const a2 = event('a', 2);
const a3 = event('a', 3, 'D');
const b1 = event('b', 1);
const committed = [a1, b1, a2, a3];

function judged(topics: Topics, over: Partial<History> = {}) {
  return checkHistory({
    routes,
    allowedDuplicates: 0,
    committed,
    records: topics.records,
    ...over,
  });
}

function found(topics: Topics, over: Partial<History> = {}): string[] {
  return [
    ...new Set(judged(topics, over).violations.map(({ promise, kind }) => `${promise} ${kind}`)),
  ];
}

const all = () => committed.reduce((topics, each) => topics.publish(each), new Topics());

describe('a history that keeps every promise', () => {
  it('passes, with its positions and final rows', () => {
    const topics = all();
    const verdict = judged(topics, {
      rolledBack: ['never'],
      confirmed: [
        { confirmedLsn: 0n, endOffsets: new Map() },
        { confirmedLsn: 300n, endOffsets: topics.ends },
      ],
      finalRows: [
        { aggregateId: 'a', version: 3, isDeleted: true },
        { aggregateId: 'b', version: 1, isDeleted: false },
      ],
    });
    expect(verdict).toMatchObject({ violations: [], committed: 4, records: 8, duplicates: 0 });
  });

  it('passes with a repeated suffix, if so many duplicates are allowed', () => {
    const topics = all().publish(a2).publish(a3);
    expect(judged(topics, { allowedDuplicates: duplicateAllowance(1, 4) })).toMatchObject({
      violations: [],
      duplicates: 4,
    });
  });

  it('passes after compaction, which leaves only the last record of each key', () => {
    const topics = new Topics().publish(b1, 'item').publish(a3, 'item');
    for (const each of committed) topics.publish(each, 'item-change');
    expect(found(topics, { compactedTopics: new Set(['item']) })).toEqual([]);
    expect(found(topics)).toEqual(['I1 lost']);
  });

  it('passes when compaction has taken a tombstone away', () => {
    const topics = new Topics().publish(b1, 'item');
    for (const each of committed) topics.publish(each, 'item-change');
    expect(found(topics, { compactedTopics: new Set(['item']) })).toEqual([]);
  });
});

describe('a planted bug is found and named', () => {
  it('an event that was lost', () => {
    const topics = new Topics().publish(a1).publish(b1).publish(a2, 'item').publish(a3);
    const { violations } = judged(topics);
    expect(violations).toMatchObject([
      { promise: 'I1', kind: 'lost', eid: 'a-2', topic: 'item-change', key: 'a' },
    ]);
    expect(violations[0]?.sentence).toBe(
      'item-change: event a-2 of "a": version 2 was committed and never published',
    );
  });

  it('a lost event that was the last of its key on the compacted topic', () => {
    const topics = new Topics().publish(a1).publish(b1).publish(a2).publish(a3, 'item-change');
    expect(found(topics)).toEqual(['I1 lost', 'I4 stale']);
  });

  it('a ghost', () => {
    expect(found(all().publish(event('c', 1), 'item-change'))).toEqual(['I2 ghost']);
  });

  it('a record without an event id', () => {
    expect(found(all().put('item-change', event('c', 1), { eid: undefined }))).toEqual([
      'I2 ghost',
    ]);
  });

  it('an event of a rolled-back transaction', () => {
    const topics = all().publish(event('c', 1), 'item-change');
    expect(found(topics, { rolledBack: ['c-1'] })).toEqual(['I2 rolled-back']);
  });

  it('a topic that the event is not routed to', () => {
    expect(found(all().publish(a1, 'elsewhere'))).toEqual(['I2 wrong-topic']);
  });

  it('versions of a key out of order', () => {
    const topics = new Topics()
      .publish(b1)
      .publish(a1, 'item')
      .publish(a2)
      .publish(a1, 'item-change');
    topics.publish(a3);
    expect(found(topics)).toEqual(['I3 reordered']);
  });

  it('a duplicate that stands last on the compacted topic', () => {
    expect(found(all().publish(a2, 'item'), { allowedDuplicates: 1 })).toEqual(['I4 stale']);
    expect(found(all().publish(a2, 'item-change'), { allowedDuplicates: 1 })).toEqual([]);
  });

  it('a deletion without its tombstone', () => {
    const topics = new Topics().publish(a1).publish(b1).publish(a2).publish(a3, 'item-change');
    topics.put('item', a3, { valueHash: a3.valueHash });
    expect(found(topics)).toEqual(['I4 not-a-tombstone']);
  });

  it('an altered byte', () => {
    const topics = new Topics()
      .publish(a1)
      .publish(b1)
      .publish(a3, 'item')
      .publish(a2, 'item-change');
    topics.publish(a3, 'item-change');
    topics.put('item', a2, { valueHash: contentHash('value of a-X') }).publish(a3, 'item');
    expect(found(topics, { allowedDuplicates: 1 })).toContain('I5 altered');
  });

  it('a value that became a tombstone', () => {
    const topics = new Topics().publish(a1).publish(a2).publish(a3).publish(b1, 'item-change');
    topics.put('item', b1, { valueHash: null });
    expect(found(topics)).toEqual(['I5 altered']);
  });

  it('another key or data_op than the row has', () => {
    const one = new Topics().publish(a1).publish(a2).publish(a3).publish(b1, 'item');
    one.put('item-change', b1, { key: 'B' });
    expect(found(one)).toEqual(['I5 altered']);
    const two = new Topics().publish(a1).publish(a2).publish(a3).publish(b1, 'item');
    two.put('item-change', b1, { dataOp: 'U' });
    expect(found(two)).toEqual(['I5 altered']);
  });

  it('a key in two partitions', () => {
    const other = (partitionOf('a', partitions) + 1) % partitions;
    const topics = new Topics().publish(a1).publish(b1).publish(a3, 'item').publish(a2, 'item');
    topics.publish(a3, 'item').put('item-change', a2, { partition: other });
    topics.publish(a3, 'item-change');
    expect(found(topics, { allowedDuplicates: 1 })).toContain('I3 moved-key');
  });

  it('a position that was confirmed before its event was published', () => {
    const topics = new Topics().publish(a1).publish(b1);
    const early = topics.ends;
    topics.publish(a2).publish(a3);
    const confirmed = [
      { confirmedLsn: 100n, endOffsets: early },
      { confirmedLsn: 200n, endOffsets: early },
    ];
    const { violations } = judged(topics, { confirmed });
    expect(violations.map(({ kind, eid, topic }) => [kind, eid, topic])).toEqual([
      ['acknowledged-early', 'a-2', 'item-change'],
      ['acknowledged-early', 'a-2', 'item'],
    ]);
  });

  it('more duplicates than the faults allow', () => {
    const topics = all().publish(b1);
    expect(found(topics, { allowedDuplicates: duplicateAllowance(0, 500) })).toEqual([
      'I7 too-many-duplicates',
    ]);
    expect(found(topics, { allowedDuplicates: 1 })).toEqual(['I7 too-many-duplicates']);
    expect(found(topics, { allowedDuplicates: 2 })).toEqual([]);
  });

  it('another event id on a retry', () => {
    const topics = all().put('item-change', b1, { eid: 'b-1-again' });
    expect(found(topics)).toEqual(['I2 ghost', 'I7 other-eid']);
  });

  it('a database that ended elsewhere than its events', () => {
    expect(
      found(all(), { finalRows: [{ aggregateId: 'b', version: 2, isDeleted: false }] }),
    ).toEqual(['I4 stale']);
    expect(
      found(all(), { finalRows: [{ aggregateId: 'a', version: 3, isDeleted: false }] }),
    ).toEqual(['I4 stale']);
    expect(
      found(all(), { finalRows: [{ aggregateId: 'z', version: 1, isDeleted: false }] }),
    ).toEqual(['I4 stale']);
  });
});

describe('snapshots, which repeat the version that is there', () => {
  const s2 = { ...event('a', 2, 'S'), eid: 'a-2-again' };
  const d3 = { ...event('a', 3, 'D'), eid: 'a-3-again' };
  const withSnapshots = { committed: [a1, b1, a2, s2, a3, d3] };

  it('are taken behind the change that made their version, in either order among themselves', () => {
    const topics = new Topics().publish(a1).publish(b1).publish(a2).publish(s2);
    expect(found(topics.publish(a3).publish(d3), withSnapshots)).toEqual([]);
  });

  it('may stand before a change of the same version that comes again', () => {
    const history = { committed: [a1, b1, a2, s2], allowedDuplicates: 2 };
    const topics = new Topics().publish(a1).publish(b1).publish(a2).publish(s2).publish(a2);
    expect(found(topics, history)).toEqual([]);
  });

  it('are stale behind a newer version, and missed where they are not', () => {
    const history = { committed: [a1, b1, a2, s2, a3] };
    const stale = new Topics().publish(a1).publish(b1).publish(a2).publish(a3).publish(s2);
    expect(found(stale, history)).toEqual(['I3 reordered', 'I4 stale']);
    const lost = new Topics().publish(a1).publish(b1).publish(a2).publish(a3);
    expect(found(lost, history)).toEqual(['I1 lost']);
  });

  it('do not hide that a deletion lacks its tombstone', () => {
    const s3 = { ...event('a', 3, 'S'), eid: 'a-3-alive' };
    const topics = new Topics().publish(a1).publish(b1).publish(a2).publish(s3).publish(a3);
    const history = { committed: [a1, b1, a2, a3, s3], allowedDuplicates: 0 };
    expect(found(topics, history)).toContain('I4 stale');
  });
});

describe('the checker at size', () => {
  it('keeps twenty violations of a kind and counts the rest', () => {
    const many = Array.from({ length: 100 }, (_, index) => event(`k${index}`, 1));
    const verdict = judged(new Topics(), { committed: many });
    expect(verdict.counts.get('lost')).toBe(200);
    expect(verdict.violations.filter(({ kind }) => kind === 'lost')).toHaveLength(20);
  });

  it('refuses a history in which an event was committed twice', () => {
    expect(() => judged(all(), { committed: [...committed, a1] })).toThrow(
      'event a-1 is in the history of commits twice',
    );
  });
});
