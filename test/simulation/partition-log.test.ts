import { describe, expect, it } from 'vitest';
import { noLsn } from '../../services/relay/src/wal/lsn.ts';
import type { OutboundRecord } from '../../services/relay/src/kafka/outbound-record.ts';
import { PartitionLog } from './partition-log.ts';

const record = (key: string): OutboundRecord => ({
  topic: 't',
  partition: 0,
  key,
  value: Buffer.from(key),
  headers: {},
  position: { commitLsn: noLsn, index: 0 },
  timestampMs: 0,
});
const batch = (epoch: number, firstSequence: number, ...keys: string[]) => ({
  producer: { producerId: 7n, producerEpoch: epoch },
  firstSequence,
  records: keys.map(record),
});
const keys = (log: PartitionLog) => log.records.map((each) => each.record.key).join('');

describe('the simulated partition follows Kafka’s rules', () => {
  it('stores a repeated batch once and answers with its offset', () => {
    const log = new PartitionLog();
    log.append(batch(0, 0, 'a', 'b'));
    log.append(batch(0, 2, 'c'));
    expect(log.append(batch(0, 0, 'a', 'b'))).toEqual({ baseOffset: 0, isDuplicate: true });
    expect(keys(log)).toBe('abc');
  });

  it('takes another batch of the same sequences for a duplicate and drops it (trap 3.1-2)', () => {
    const log = new PartitionLog();
    log.append(batch(0, 0, 'a'));
    expect(log.append(batch(0, 0, 'X'))).toEqual({ baseOffset: 0, isDuplicate: true });
    expect(keys(log)).toBe('a');
  });

  it('remembers five batches and refuses an older one', () => {
    const log = new PartitionLog();
    for (let sequence = 0; sequence < 6; sequence += 1) log.append(batch(0, sequence, 'x'));
    expect(log.append(batch(0, 1, 'x'))).toMatchObject({ isDuplicate: true });
    expect(log.append(batch(0, 0, 'x'))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  it('refuses a gap', () => {
    const log = new PartitionLog();
    log.append(batch(0, 0, 'a'));
    expect(log.append(batch(0, 2, 'c'))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  it('fences an older epoch from the first write of the newer one, not before (10e)', () => {
    const log = new PartitionLog();
    log.append(batch(0, 0, 'a'));
    expect(log.append(batch(0, 1, 'b'))).toMatchObject({ isDuplicate: false });
    expect(log.append(batch(1, 5, 'n'))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    log.append(batch(1, 0, 'n'));
    expect(log.append(batch(0, 2, 'c'))).toBe('INVALID_PRODUCER_EPOCH');
    expect(keys(log)).toBe('abn');
  });

  it('lets an unknown producer begin at any sequence', () => {
    expect(new PartitionLog().append(batch(0, 9, 'a'))).toMatchObject({ baseOffset: 0 });
  });

  it('shows nothing that its followers do not have', () => {
    const log = new PartitionLog();
    log.append(batch(0, 0, 'a'));
    log.leaveFollowersBehind();
    log.append(batch(0, 1, 'b'));
    expect([log.highWatermark, log.endOffset]).toEqual([1, 2]);
    log.catchUp();
    expect(log.highWatermark).toBe(2);
  });

  it('loses what the next leader does not have, and takes it again from the producer that knows it unconfirmed', () => {
    const log = new PartitionLog();
    log.append(batch(0, 0, 'a'));
    log.leaveFollowersBehind();
    log.append(batch(0, 1, 'b'));
    log.append(batch(0, 2, 'c', 'd'));
    log.truncate(() => 1);
    expect(keys(log)).toBe('ab');
    expect(log.append(batch(0, 1, 'b'))).toMatchObject({ isDuplicate: true });
    expect(log.append(batch(0, 2, 'c', 'd'))).toMatchObject({ isDuplicate: false });
    expect(keys(log)).toBe('abcd');
  });
});
