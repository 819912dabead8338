import { recordHeader } from '@outbound/contract';
import { expect, it } from 'vitest';
import { note, noteValue } from '../../test-support/notes.ts';
import { parseRecord } from '../events/parse-record.ts';
import { kafkaRecord, type RecordParts } from '../events/test-support/kafka-record.ts';
import { createMemoryInbox } from './memory-inbox.ts';

const withoutId = { [recordHeader.type]: note.name };

/** What becomes of these records, one after the other, in one inbox. */
async function outcomesOf(records: readonly RecordParts[]): Promise<string[]> {
  const inbox = createMemoryInbox();
  const outcomes: string[] = [];
  for (const parts of records) {
    const parsed = parseRecord(kafkaRecord({ headers: withoutId, ...parts }), note);
    if (parsed.is !== 'event') throw new Error(`it is ${parsed.is}`);
    outcomes.push(await inbox.apply(parsed.event, () => undefined));
  }
  return outcomes;
}

it('keeps records without a key apart in an inbox, whatever versions they say: no key is no entity', async () => {
  const [first, second] = [noteValue('a', 7), noteValue('b', 3)];
  const records = [first, second, second].map((value) => ({ key: null, value }));
  expect(await outcomesOf(records)).toEqual(['applied', 'applied', 'seen']);
  const deletions = [1n, 2n, 2n].map((offset) => ({
    ...{ key: null, value: null, offset },
    headers: { ...withoutId, [recordHeader.dataVersion]: '5' },
  }));
  expect(await outcomesOf(deletions)).toEqual(['applied', 'applied', 'seen']);
});

it('takes a record without an id for another one than that which had its place before the topic was made again', async () => {
  const timesMs = [5, 5, 6];
  const records = timesMs.map((timestampMs) => ({ key: null, value: null, timestampMs }));
  expect(await outcomesOf(records)).toEqual(['applied', 'seen', 'applied']);
});

it('takes an empty id for none, in the header and in the value: it swallows no other record', async () => {
  const headers = { ...withoutId, [recordHeader.id]: '' };
  const offsets = [1n, 2n, 2n];
  const once = ['applied', 'applied', 'seen'];
  expect(
    await outcomesOf(
      offsets.map((offset) => ({ key: `k${offset}`, value: null, headers, offset })),
    ),
  ).toEqual(once);
  const { metadata, ...rest } = JSON.parse(noteValue('a', 7)) as { metadata: object };
  const value = JSON.stringify({ ...rest, metadata: { ...metadata, eid: '' } });
  const outcomesWith = (each: Readonly<Record<string, string>>) =>
    outcomesOf(offsets.map((offset) => ({ key: null, value, headers: each, offset })));
  expect(await outcomesWith(headers)).toEqual(once);
  expect(await outcomesWith(withoutId)).toEqual(once);
  const named = { ...withoutId, [recordHeader.id]: 'e' };
  expect(await outcomesWith(named)).toEqual(['applied', 'seen', 'seen']);
});
