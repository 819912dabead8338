import { expect, it } from 'vitest';
import { isJournalMark, journalMark, whyMadeAnew } from './journal-mark.ts';

const topic = { topic: 't', partitions: 3, cleanupPolicy: 'compact', configs: {} } as const;

it('a journal is known by the mark of its source, which no compaction removes', () => {
  const [mark] = journalMark(topic, 'a', 7).records;
  const isMarkOf = (fingerprint: string) =>
    isJournalMark(Buffer.from(mark?.key ?? ''), fingerprint);
  expect(isMarkOf('a')).toBe(true);
  expect(isMarkOf('b')).toBe(false);
  expect(mark?.value).not.toBeNull();
  for (const key of [null, Buffer.from('session'), Buffer.from('["x","a"]')])
    expect(isJournalMark(key, 'a')).toBe(false);
});

it('a topic without the mark is the journal only if nothing was ever parked', () => {
  const fresh = { hasMark: false, decisions: 0, letterLanes: 0 };
  expect(whyMadeAnew(fresh)).toBeUndefined();
  expect(whyMadeAnew({ hasMark: true, decisions: 5, letterLanes: 3 })).toBeUndefined();
  expect(whyMadeAnew({ ...fresh, letterLanes: 2 })).toContain('2 partitions');
  // Made again under a relay that ran, and went on writing.
  expect(whyMadeAnew({ ...fresh, decisions: 1 })).toContain('1 decisions');
});
