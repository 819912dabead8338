import { PipelineError } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import type { InboundRecord } from '../events/parse-record.ts';
import { deadLetterRecord } from './dead-letter-record.ts';

const record: InboundRecord = {
  topic: 't',
  partition: 3,
  offset: 12n,
  timestampMs: 0,
  key: 'k',
  hasKey: true,
  headers: { ce_id: 'e1', data_op: 'U' },
  value: Buffer.from('{"n":1.50}'),
};
const cause = { reason: 'failed', eid: 'e1', group: 'g', attempts: 5 } as const;
const at = new Date('2026-01-02T03:04:05.678Z');

describe('deadLetterRecord', () => {
  it('keeps key, value and headers as they came, and says where it was and why it is here', () => {
    const letter = deadLetterRecord(
      record,
      { ...cause, error: new PipelineError('NO_STOCK', 'there is none\n  left') },
      at,
    );
    expect(letter.key).toBe('k');
    expect(letter.value).toBe(record.value);
    expect(letter.headers).toEqual({
      ce_id: 'e1',
      data_op: 'U',
      dead_letter_topic: 't',
      dead_letter_partition: '3',
      dead_letter_offset: '12',
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
      { ...record, key: '', hasKey: false, value: null },
      { ...cause, error: 'thrown text' },
      at,
    );
    expect(letter).toMatchObject({ key: null, value: null });
    expect(letter.headers).toMatchObject({
      dead_letter_code: 'FAILED',
      dead_letter_message: 'thrown text',
    });
  });

  it('leaves out what a driver pastes into its message of row values, and bounds the rest', () => {
    const error = Object.assign(new Error(`Failed query: insert\nparams: secret`), {
      query: 'insert',
    });
    expect(deadLetterRecord(record, { ...cause, error }, at).headers).toMatchObject({
      dead_letter_code: 'Error',
      dead_letter_message: 'Failed query: insert',
    });
    const long = deadLetterRecord(record, { ...cause, error: new Error('x'.repeat(9_999)) }, at);
    expect(long.headers['dead_letter_message']).toHaveLength(500);
  });
});
