import type { KafkaRecord, RecordHeader } from '@outbound/kafka';
import { recordHeader } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { deadLetterRecord } from './dead-letter-record.ts';
import { deadLetterOf } from './dead-letter.ts';

function stored(headers: readonly RecordHeader[], over: Partial<KafkaRecord> = {}): KafkaRecord {
  return {
    ...{
      topic: 't',
      partition: 3,
      offset: 2n ** 60n,
      timestampMs: 7,
      key: Buffer.from('ff', 'hex'),
    },
    ...{ value: Buffer.from('v'), headerList: () => headers },
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value?.toString() ?? ''])),
    ...over,
  };
}

const own: readonly RecordHeader[] = [
  { name: 'b', value: null },
  { name: recordHeader.type, value: Buffer.from('test.note-change') },
  { name: 'b', value: Buffer.from('2') },
];

function letter(record: KafkaRecord, reason: 'failed' | 'parked' = 'failed'): KafkaRecord {
  const cause = { reason, eid: 'e', group: 'g', attempts: 2, error: new Error('cannot') };
  const { key, value, headers } = deadLetterRecord(record, cause, new Date(9));
  return stored(headers, { topic: 'dead', partition: 0, offset: 5n, key, value });
}

describe('deadLetterOf', () => {
  it('gives the record as it was in its topic, byte for byte, and why it is a dead letter', () => {
    const found = deadLetterOf(letter(stored(own)));
    expect(found).toMatchObject({
      ...{ group: 'g', topic: 't', key: '\\xff', eid: 'e', type: 'test.note-change' },
      ...{ reason: 'failed', message: 'cannot', attempts: 2, place: { partition: 0, offset: 5n } },
      record: { topic: 't', partition: 3, offset: 2n ** 60n, timestampMs: 7 },
    });
    expect(found?.record.headerList()).toEqual(own);
    expect(found?.record.headers).toEqual(stored(own).headers);
    expect(found?.record.value).toEqual(Buffer.from('v'));
  });

  it('takes away the last eleven headers only, of a letter that is one for a second time', () => {
    const once = letter(stored(own));
    const twice = deadLetterOf(letter(once, 'parked'));
    expect(twice).toMatchObject({ topic: 'dead', reason: 'parked', record: { offset: 5n } });
    expect(twice?.record.headerList()).toEqual(once.headerList());
  });

  it('is undefined for a record that is none', () => {
    expect(deadLetterOf(stored(own))).toBeUndefined();
    const headers = letter(stored(own)).headerList();
    expect(deadLetterOf(stored([...headers, ...own]))).toBeUndefined();
  });
});
