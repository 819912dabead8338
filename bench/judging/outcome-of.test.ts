import { expect, test } from 'vitest';
import { outcomeOf, outcomesOf, statesIn } from './outcome-of.ts';

const answer = (status: number, text = '', etag?: string) =>
  ({ kind: 'answer', status, text, etag }) as const;

test('success says which entity and version; a refusal, an unknown outcome and silence are told apart', () => {
  const entity = '{"id":"a","version":3,"name":"t"}';
  expect(outcomeOf(answer(200, entity, '"3"'))).toEqual({
    outcome: 'done',
    status: 200,
    id: 'a',
    version: 3,
  });
  expect(outcomeOf(answer(412, '{"type":"/problems/precondition-failed"}')).outcome).toBe(
    'refused',
  );
  expect(outcomeOf(answer(503, '{"type":"/problems/outcome-unknown"}')).outcome).toBe('unknown');
  expect(outcomeOf({ kind: 'closed-idle' }).outcome).toBe('unanswered');
  expect(outcomeOf({ kind: 'broken', why: 'half an answer' }).outcome).toBe('unknown');
  expect(outcomeOf({ kind: 'no-answer', why: 'socket hang up' }).outcome).toBe('unknown');
});

test('a batch has an outcome for each item, and one that was left out counts as done without an entity', () => {
  const items =
    '{"items":[{"status":201,"id":"a","etag":"\\"1\\""},{"status":409,"problem":{"type":"/problems/duplicate"}}]}';
  const outcomes = outcomesOf(answer(207, items), 3);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['done', 'refused', 'done']);
  expect(outcomes.map(({ id }) => id)).toEqual(['a', undefined, undefined]);
  expect(outcomesOf(answer(503), 2).map(({ outcome }) => outcome)).toEqual(['refused', 'refused']);
});

test('states are read from an entity and from a page', () => {
  expect(statesIn('{"items":[{"id":"a","version":1,"name":"t"}],"next":"/x"}')).toEqual([
    { id: 'a', version: 1, tag: 't' },
  ]);
  expect(statesIn('no JSON')).toEqual([]);
});
