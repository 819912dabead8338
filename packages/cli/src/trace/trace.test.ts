import { describe, expect, test } from 'vitest';
import { groupProgress } from './group-progress.ts';
import { KeySightings } from './key-sightings.ts';
import type {
  FoundRecord,
  GroupProgress,
  OutboxFacts,
  SlotFacts,
  TopicFinding,
  TraceReport,
} from './trace-report.ts';
import { traceJson } from './trace-text.ts';
import { verdictOf } from './verdict.ts';

const event: OutboxFacts = {
  eid: 'e2',
  aggregateType: 'catalog.product',
  aggregateId: 'p1',
  eventType: 'catalog.product-change',
  version: 2,
  dataOp: 'U',
  createdAtMs: 1_790_000_000_000,
  bytes: 300,
};
const record: FoundRecord = {
  partition: 3,
  offset: 1042n,
  timestampMs: 1_790_000_000_010,
  version: 2,
  eid: 'e2',
  isTombstone: false,
  commitLsn: '0/1D3C258',
  isReplay: false,
};
const slot: SlotFacts = {
  name: 'outbound',
  exists: true,
  isActive: true,
  confirmedLsn: '0/1D3C300',
  endLsn: '0/1D3C300',
  lagBytes: 0,
  walStatus: 'reserved',
  isAhead: false,
};
const changes: TopicFinding = {
  topic: 'catalog.product-change',
  form: 'value',
  cleanupPolicy: 'delete',
  status: 'found',
  partition: 3,
  record,
  groups: [],
};
const state: TopicFinding = { ...changes, topic: 'catalog.product', cleanupPolicy: 'compact' };
const absent = { status: 'absent', record: undefined } as const;
const report: TraceReport = {
  id: 'p1',
  kind: 'entity',
  row: { aggregate: 'product', id: 'p1', version: 2, isDeleted: false },
  events: [event],
  retained: 2,
  slot,
  topics: [changes, state],
  kafkaProblem: undefined,
};
const read: GroupProgress = { group: 'search', committed: 1043n, hasPassed: true, lag: undefined };
const behind: GroupProgress = { group: 'billing', committed: 1040n, hasPassed: false, lag: 3n };
const none: GroupProgress = {
  ...{ group: 'new', committed: undefined, hasPassed: undefined, lag: undefined },
};

describe('the sentence', () => {
  const verdict = (over: Partial<TraceReport>) => verdictOf({ ...report, ...over });

  test.each<[string, Partial<TraceReport>, string, RegExp]>([
    [
      'delivered, nobody reads',
      {},
      'delivered',
      /^version 2 of p1 \(U\) is delivered to both topics; no consumer group reads it$/,
    ],
    [
      'a group has not read it',
      { topics: [{ ...changes, groups: [read, behind] }, state] },
      'delivered',
      /both topics; group billing has not read it yet \(lag 3\)$/,
    ],
    [
      'a group that has committed nothing',
      { topics: [{ ...changes, groups: [none] }, state] },
      'delivered',
      /group new has committed nothing on its partition$/,
    ],
    [
      'read by all',
      {
        topics: [
          { ...changes, groups: [read] },
          { ...state, groups: [read] },
        ],
      },
      'delivered',
      /all 2 consumer groups have read it$/,
    ],
    [
      'groups may not be seen',
      { topics: [{ ...changes, groups: undefined }, state] },
      'delivered',
      /unknown/,
    ],
    [
      'a newer state took its place',
      { topics: [changes, { ...state, status: 'superseded' }] },
      'delivered',
      /both topics, and in catalog.product a newer state has taken its place/,
    ],
    [
      'the slot is behind',
      {
        slot: { ...slot, lagBytes: 12_000 },
        topics: [
          { ...changes, ...absent },
          { ...state, ...absent },
        ],
      },
      'waiting',
      /is waiting: slot outbound is 12.0 kB behind$/,
    ],
    [
      'no relay',
      { slot: { ...slot, isActive: false, lagBytes: 12_000 }, topics: [{ ...changes, ...absent }] },
      'waiting',
      /no relay is connected to slot outbound, which is 12.0 kB behind$/,
    ],
    [
      'a slot that is ahead of the log',
      {
        slot: { ...slot, isActive: false, isAhead: true },
        topics: [{ ...changes, ...absent }],
      },
      'waiting',
      /has confirmed more than the log has, .*outbound recover/,
    ],
    [
      'no slot',
      {
        slot: { ...slot, exists: false, lagBytes: undefined },
        topics: [{ ...changes, ...absent }],
      },
      'waiting',
      /slot outbound does not exist: .*outbound recover/,
    ],
    [
      'in one of two',
      { slot: { ...slot, lagBytes: 500 }, topics: [changes, { ...state, ...absent }] },
      'partly',
      /is in catalog.product-change and not yet in catalog.product: slot outbound is 500 B behind$/,
    ],
    [
      'passed by the slot and not there',
      { topics: [changes, { ...state, ...absent }] },
      'missing',
      /not in catalog.product, although the slot has passed it: run outbound verify/,
    ],
    [
      'the slot cannot be seen',
      { slot: undefined, topics: [{ ...changes, ...absent }] },
      'unknown',
      /cannot be seen/,
    ],
    [
      'removed by retention',
      { topics: [{ ...changes, status: 'expired', record: undefined }, state] },
      'expired',
      /retention has removed.*it is in catalog.product$/,
    ],
    [
      'no such topic',
      { topics: [{ ...changes, status: 'missing', record: undefined }, state] },
      'missing',
      /catalog.product-change does not exist/,
    ],
    [
      'Kafka does not answer',
      { topics: undefined, kafkaProblem: 'no answer', slot: { ...slot, lagBytes: 900 } },
      'unknown',
      /where it is in Kafka is unknown \(no answer\); slot outbound is 900 B behind$/,
    ],
    [
      'Kafka does not answer, but did to the relay',
      { topics: undefined },
      'unknown',
      /Kafka has confirmed it to the relay$/,
    ],
    [
      'nothing is known of it',
      { kind: 'nothing', row: undefined, events: [] },
      'not found',
      /neither an entity nor an event/,
    ],
    [
      'the outbox keeps it no more',
      { events: [], row: { aggregate: 'product', id: 'p1', version: 7, isDeleted: true } },
      'delivered',
      /^version 7 of p1 \(deleted\) is delivered/,
    ],
  ])('%s', (_, over, stateOf, sentence) => {
    expect(verdict(over).state).toBe(stateOf);
    expect(verdict(over).sentence).toMatch(sentence);
  });

  test('a topic that this kind of change does not go to is not missed', () => {
    expect(verdict({ topics: [changes, { ...state, form: 'skip', ...absent }] }).sentence).toMatch(
      /is delivered to catalog.product-change;/,
    );
  });

  test('in JSON what is unknown is null, and never 0', () => {
    const unknown = { ...report, slot: { ...slot, lagBytes: undefined }, topics: undefined };
    expect(traceJson(unknown, verdictOf(unknown))).toMatchObject({
      commit_lsn: null,
      topics: null,
      slot: { lag_bytes: null },
    });
    expect(traceJson(report, verdictOf(report))).toMatchObject({
      commit_lsn: '0/1D3C258',
      topics: [{ offset: 1042, groups: [] }, {}],
    });
  });
});

describe('the records of one key', () => {
  const at = (offset: bigint, over: Partial<FoundRecord>): FoundRecord => ({
    ...record,
    offset,
    ...over,
  });
  const seen = (
    focus: { eid: string | undefined; version: number; dataOp: string },
    records: readonly FoundRecord[],
    how: { cleanupPolicy?: 'delete' | 'compact'; mayHaveExpired?: boolean } = {},
  ) => {
    const { cleanupPolicy = 'compact', mayHaveExpired = false } = how;
    const sightings = new KeySightings(focus, cleanupPolicy);
    for (const each of records) sightings.see(each);
    const { status, record: found } = sightings.finding({ mayHaveExpired });
    return { status, offset: found?.offset };
  };
  const update = { eid: 'e2', version: 2, dataOp: 'U' };
  const v1 = at(1n, { eid: 'e1', version: 1 });
  const v2 = at(2n, {});
  const v3 = at(3n, { eid: 'e3', version: 3 });
  const tombstone = at(4n, { eid: 'e4', version: undefined, isTombstone: true });

  test('hold the event by its id, and its first record counts', () => {
    expect(seen(update, [v1, v2, v3, at(9n, {})])).toEqual({ status: 'found', offset: 2n });
  });

  test('show that compaction has put a newer state or a tombstone in its place', () => {
    expect(seen(update, [v1, v3])).toEqual({ status: 'superseded', offset: 3n });
    expect(seen(update, [v1, tombstone])).toEqual({ status: 'superseded', offset: 4n });
  });

  test('show that it is not there: a newer record of a topic that is kept by time takes no place', () => {
    expect(seen(update, [v1])).toEqual({ status: 'absent', offset: undefined });
    expect(seen(update, [v1, v3], { cleanupPolicy: 'delete' })).toMatchObject({ status: 'absent' });
    expect(seen(update, [], { mayHaveExpired: true })).toMatchObject({ status: 'expired' });
  });

  test('are searched for the state of the row, where no event id is known', () => {
    const row = { eid: undefined, version: 2, dataOp: 'U' };
    expect(seen(row, [v1, v2])).toEqual({ status: 'found', offset: 2n });
    expect(seen(row, [v1])).toMatchObject({ status: 'absent' });
    const deleted = { eid: undefined, version: 4, dataOp: 'D' };
    expect(seen(deleted, [v3, tombstone])).toEqual({ status: 'found', offset: 4n });
    expect(seen(deleted, [tombstone, v3])).toMatchObject({ status: 'absent' });
  });

  test('are not the state where something older came last: compaction will keep that', () => {
    const older = at(5n, { eid: 'e1', version: 1, isTombstone: true });
    const row = { eid: undefined, version: 2, dataOp: 'U' };
    for (const focus of [update, row]) {
      expect(seen(focus, [v2, older])).toEqual({ status: 'absent', offset: undefined });
      expect(seen(focus, [older])).toMatchObject({ status: 'absent' });
      expect(seen(focus, [older, v2])).toMatchObject({ status: 'found' });
    }
    expect(seen(update, [v2, older], { cleanupPolicy: 'delete' })).toMatchObject({
      status: 'found',
    });
    const deleted = { eid: undefined, version: 4, dataOp: 'D' };
    expect(seen(deleted, [v3, older])).toMatchObject({ status: 'absent' });
  });
});

test('a group has passed a record when it has committed an offset behind it', () => {
  const offsets = new Map([
    ['b', [{ topic: 't', partition: 3, offset: 1043n }]],
    ['a', [{ topic: 't', partition: 3, offset: 1042n }]],
    ['c', [{ topic: 't', partition: 1, offset: 5n }]],
    ['d', [{ topic: 'other', partition: 3, offset: 5n }]],
  ]);
  expect(groupProgress(offsets, 't', record)).toEqual([
    { group: 'a', committed: 1042n, hasPassed: false, lag: 1n },
    { group: 'b', committed: 1043n, hasPassed: true, lag: undefined },
    { group: 'c', committed: undefined, hasPassed: undefined, lag: undefined },
  ]);
});
