import { describe, expect, it } from 'vitest';
import { lsnFromText } from '../wal/lsn.ts';
import { lastOwnRecord, type StoredRecord } from './source-tail.ts';

const fingerprint = '9f86d081';
const stored = (sourceLsn?: string, over: Partial<StoredRecord> = {}): StoredRecord => ({
  offset: '0',
  isControlRecord: false,
  headers:
    sourceLsn === undefined
      ? {}
      : { source_lsn: Buffer.from(sourceLsn), ce_id: Buffer.from(`of ${sourceLsn}`) },
  ...over,
});
const at = (lsn: string, index: number) => ({
  position: { commitLsn: lsnFromText(lsn), index },
  eid: `of ${lsn}:${index}@${fingerprint}`,
});

describe('lastOwnRecord', () => {
  it('is the last record of this source, behind any number of foreign, control and damaged ones', () => {
    expect(
      lastOwnRecord(
        [
          stored('0/10:0@9f86d081'),
          stored('0/20:4@9f86d081'),
          stored('0/99:0@00000000'),
          stored(),
          stored('0/99:0@9f86d081', { isControlRecord: true }),
          stored('nonsense'),
          stored('0/99:0@9f86d081', { batchContext: { inTransaction: true } }),
          stored(undefined, { headers: { source_lsn: [Buffer.from('0/99:0@9f86d081')] } }),
          stored(undefined, { headers: { source_lsn: Buffer.from('0/99:0@9f86d081') } }),
        ],
        fingerprint,
      ),
    ).toEqual(at('0/20', 4));
  });

  it('is the last in the log and not the furthest in the source: a republish that was cut short has to go on (I4)', () => {
    expect(
      lastOwnRecord(
        [stored('0/10:0@9f86d081'), stored('0/50:0@9f86d081'), stored('0/20:0@9f86d081')],
        fingerprint,
      ),
    ).toEqual(at('0/20', 0));
  });

  it('is unknown if nothing is ours', () => {
    expect(lastOwnRecord([stored('0/10:0@00000000')], fingerprint)).toBeUndefined();
    expect(lastOwnRecord([], fingerprint)).toBeUndefined();
  });
});
