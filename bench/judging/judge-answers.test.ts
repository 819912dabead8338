import { expect, test } from 'vitest';
import { judgeAnswers, type State, type Write } from './judge-answers.ts';

const state = (id: string, version: number, tag: string): State => ({ id, version, tag });
const done = (tag: string, id: string, version: number): Write => ({
  tag,
  id,
  version,
  due: 'done',
  outcome: 'done',
  status: 200,
});
const other = (tag: string, outcome: Write['outcome'], due: Write['due'], status = 412): Write => ({
  tag,
  due,
  outcome,
  status,
});
const events = [state('a', 1, 't1'), state('a', 2, 't2'), state('b', 1, 't3')];
const rows = [state('a', 2, 't2'), state('b', 1, 't3')];
const writes = [done('t1', 'a', 1), done('t2', 'a', 2), done('t3', 'b', 1)];
const judged = (told: Partial<Parameters<typeof judgeAnswers>[0]>, truth = { rows, events }) => [
  ...judgeAnswers({ writes, shown: [], ...told }, truth).counts.keys(),
];

test('answers that are as the database is are right, whatever was refused or is unknown', () => {
  const more = [
    ...writes,
    other('stale', 'refused', 'refused'),
    other('busy', 'refused', 'done', 503),
    other('idle', 'unanswered', 'done', 0),
    other('lost', 'unknown', 'done', 503),
  ];
  expect(judged({ writes: more, shown: [state('a', 1, 't1')] })).toEqual([]);
});

test('a planted answer for a change that nobody wrote is found', () => {
  expect(judged({ writes: [...writes, done('invented', 'a', 3)] })).toEqual([
    'done without an event',
  ]);
  expect(judged({}, { events, rows: rows.slice(1) })).toEqual(['done without a row']);
});

test('a wrong version, a change made twice and a row that is not its last event are found', () => {
  expect(judged({ writes: [done('t1', 'a', 7), ...writes.slice(1)] })).toEqual([
    'answered another version than was written',
  ]);
  const twice = { events: [...events, state('a', 3, 't2')], rows: [state('a', 3, 't2'), rows[1]] };
  expect(judged({}, twice as { rows: State[]; events: State[] })).toEqual(['done twice']);
  expect(judged({}, { events, rows: [state('a', 2, 'other'), state('b', 1, 't3')] })).toEqual([
    'row is not its last event',
  ]);
});

test('a refusal that was written, and a request that was taken and not answered, are found', () => {
  expect(judged({ writes: [other('t1', 'refused', 'any'), ...writes.slice(1)] })).toEqual([
    'refused and yet written',
  ]);
  expect(judged({ writes: [other('t1', 'unanswered', 'done'), ...writes.slice(1)] })).toEqual([
    'not answered and yet written',
  ]);
});

test('success where a refusal was due, and a refusal of what was right, are found', () => {
  expect(
    judged({ writes: [{ ...done('t1', 'a', 1), due: 'refused' }, ...writes.slice(1)] }),
  ).toEqual(['done where a refusal was due']);
  expect(judged({ writes: [...writes, other('right', 'refused', 'done', 404)] })).toEqual([
    'refused where it was right',
  ]);
});

test('a read of what never was, and an event that nobody asked for, are found', () => {
  expect(judged({ shown: [state('a', 2, 't1')] })).toEqual(['shown and never written']);
  expect(judged({ writes: writes.slice(1) })).toEqual(['written and never asked for']);
});
