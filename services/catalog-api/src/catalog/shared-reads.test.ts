import { expect, test } from 'vitest';
import { SharedReads } from './shared-reads.ts';

function reads() {
  const questions: (readonly string[])[] = [];
  const shared = new SharedReads<string>((ids) => {
    questions.push(ids);
    if (ids.includes('broken')) return Promise.reject(new Error('no database'));
    return Promise.resolve(
      new Map(ids.filter((id) => id !== 'unknown').map((id) => [id, `row of ${id}`])),
    );
  });
  return { questions, shared };
}

test('reads of one turn are one question, and each gets its own answer', async () => {
  const { questions, shared } = reads();
  const answers = await Promise.all(['a', 'b', 'unknown', 'a'].map((id) => shared.read(id)));
  expect(answers).toEqual(['row of a', 'row of b', undefined, 'row of a']);
  expect(questions).toEqual([['a', 'b', 'unknown']]);
});

test('a read that comes when the question is out is another question', async () => {
  const { questions, shared } = reads();
  await shared.read('a');
  await shared.read('a');
  expect(questions).toEqual([['a'], ['a']]);
});

test('a question has a bound', async () => {
  const { questions, shared } = reads();
  await Promise.all(Array.from({ length: 70 }, (_, id) => shared.read(String(id))));
  expect(questions.map(({ length }) => length)).toEqual([32, 32, 6]);
});

test('an error is told to all who asked, and to nobody after them', async () => {
  const { shared } = reads();
  const settled = await Promise.allSettled([shared.read('a'), shared.read('broken')]);
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await shared.read('a')).toBe('row of a');
});
