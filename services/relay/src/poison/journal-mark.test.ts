import { expect, it } from 'vitest';
import { isJournalMark, journalMark, whyMadeAnew } from './journal-mark.ts';

const topic = { topic: 't', partitions: 3, cleanupPolicy: 'compact', configs: {} } as const;

it('a journal is known by its mark, which no compaction removes', () => {
  const [mark] = journalMark(topic, 7).records;
  expect(isJournalMark(Buffer.from(mark?.key ?? ''))).toBe(true);
  expect(mark?.value).not.toBeNull();
  expect([null, Buffer.from('session'), Buffer.from('["x","a"]')].map(isJournalMark)).toEqual([
    ...[false, false, false],
  ]);
});

it('a topic without the mark is the journal only if nothing was ever parked', () => {
  const fresh = { hasMark: false, decisions: 0, letterLanes: 0 };
  expect(whyMadeAnew(fresh)).toBeUndefined();
  expect(whyMadeAnew({ hasMark: true, decisions: 5, letterLanes: 3 })).toBeUndefined();
  expect(whyMadeAnew({ ...fresh, letterLanes: 2 })).toContain('2 partitions');
  // Made again under a relay that ran, and went on writing.
  expect(whyMadeAnew({ ...fresh, decisions: 1 })).toContain('1 decisions');
});
