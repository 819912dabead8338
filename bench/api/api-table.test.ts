import { expect, test } from 'vitest';
import { isMet } from '../floors.ts';
import { apiFloors, apiTable } from './api-table.ts';
import type { ApiRow, ApiRun } from './run-api.ts';

const row = (
  kind: ApiRow['kind'],
  contender: string,
  perSecond: number,
  p99Ms: number,
): ApiRow => ({
  contender,
  kind,
  perSecond,
  p50Ms: p99Ms / 4,
  p99Ms,
  serverMs: 0.1,
  postgresMs: 0.2,
  refused: 0,
});
const run: ApiRun = {
  callers: 16,
  requests: 8_000,
  rounds: 3,
  rows: [
    row('create', 'outbox and relay', 2_100, 10),
    row('create', 'without an outbox', 2_400, 9),
    row('create', 'old path', 1_000, 30),
    row('get', 'outbox and relay', 6_000, 5),
  ],
  judgement: {
    committed: 1,
    records: 2,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    altered: 0,
    other: [],
  },
};

test('each bound is a floor, and the table has each row', () => {
  expect(apiFloors(run).filter((floor) => !isMet(floor))).toEqual([]);
  expect(apiFloors(run)).toHaveLength(8);
  expect(apiTable(run)).toContain(
    '| create | old path | 1,000 | 7.5 | 30.0 | 0.100 | 0.200 | 0 % |',
  );
});

test('what loses to the old path, or costs too much, misses its floor', () => {
  const slow = { ...row('create', 'outbox and relay', 900, 40), serverMs: 0.5 };
  const missed = apiFloors({ ...run, rows: [slow, ...run.rows.slice(1)] }).filter(
    (floor) => !isMet(floor),
  );
  expect(missed.map(({ name }) => name)).toEqual([
    'creates, CPU of the API',
    'creates a second',
    'creates, rate against the same without an outbox',
    'creates, median beyond that without an outbox',
    'creates, rate against the old path',
    'creates, p99 against the old path',
  ]);
});
