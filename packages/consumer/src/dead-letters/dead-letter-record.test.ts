import { PipelineError } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { kafkaRecord } from '../events/test-support/kafka-record.ts';
import { deadLetterRecord, type DeadLetterRecord } from './dead-letter-record.ts';

const headers = [
  { name: 'ce_id', value: Buffer.from('e1') },
  { name: 'twice', value: Buffer.from([0xff, 0x00]) },
  { name: 'none', value: null },
  { name: 'twice', value: Buffer.from('b') },
];
const record = kafkaRecord({ key: Buffer.from([0xff, 0xfe]), value: '{"n":1.50}', headers });
const reasons = ({ headers: all }: DeadLetterRecord) =>
  Object.fromEntries(all.slice(headers.length).map(({ name, value }) => [name, String(value)]));
const cause = { reason: 'failed', eid: 'e1', group: 'g', attempts: 5 } as const;
const at = new Date('2026-01-02T03:04:05.678Z');

describe('deadLetterRecord', () => {
  it('keeps key, value and headers byte for byte as they came, and says where it was and why it is here', () => {
    const letter = deadLetterRecord(
      record,
      { ...cause, error: new PipelineError('NO_STOCK', 'there is none\n  left') },
      at,
    );
    expect(letter.key).toEqual(record.key);
    expect(letter.value).toBe(record.value);
    expect(letter.headers.slice(0, headers.length)).toEqual(headers);
    expect(reasons(letter)).toEqual({
      dead_letter_topic: 't',
      dead_letter_partition: '2',
      dead_letter_offset: '9',
      dead_letter_timestamp: '5',
      dead_letter_group: 'g',
      dead_letter_eid: 'e1',
      dead_letter_reason: 'failed',
      dead_letter_code: 'NO_STOCK',
      dead_letter_message: 'there is none left',
      dead_letter_attempts: '5',
      dead_letter_at: '2026-01-02T03:04:05.678Z',
    });
  });

  it('keeps a null key and a null value', () => {
    const letter = deadLetterRecord(
      kafkaRecord({ key: null, value: null, headers }),
      { ...cause, error: 'thrown text' },
      at,
    );
    expect(letter).toMatchObject({ key: null, value: null });
    expect(reasons(letter)).toMatchObject({
      dead_letter_code: 'FAILED',
      dead_letter_message: 'thrown text',
    });
  });

  it('leaves out what a driver pastes into its message of row values, and bounds the rest', () => {
    const error = Object.assign(new Error(`Failed query: insert\nparams: secret`), {
      query: 'insert',
    });
    expect(reasons(deadLetterRecord(record, { ...cause, error }, at))).toMatchObject({
      dead_letter_code: 'Error',
      dead_letter_message: 'Failed query: insert',
    });
    const long = deadLetterRecord(record, { ...cause, error: new Error('x'.repeat(9_999)) }, at);
    expect(reasons(long)['dead_letter_message']).toHaveLength(500);
  });
});
