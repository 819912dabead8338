import { expect, it } from 'vitest';
import { decodeRecords } from '../../../packages/kafka/src/fetch/decode-records.ts';
import { SimulatedLog, type LoggedEvent } from './simulated-log.ts';

const at = { leaderEpoch: 0, timestampMs: 1234 };

function event(eid: string): LoggedEvent {
  const value = eid.endsWith('x') ? null : Buffer.from(`value of ${eid}`);
  return {
    eid,
    key: eid,
    version: 1,
    isTombstone: value === null,
    bytes: { key: Buffer.from(eid), value, headers: [['id', eid]] },
  };
}

it('writes batches, transactions and markers that the production decoder reads', () => {
  const log = new SimulatedLog();
  log.append([event('a'), event('bx')], at);
  log.append([event('c')], at, { id: 7, isTransactional: true });
  log.append([event('d'), event('e')], at, { id: 8, isTransactional: true });
  log.endTransaction(7, 'abort', at);
  log.endTransaction(8, 'commit', at);
  log.append([event('f')], at, { id: 1, isTransactional: false });
  log.highWatermark = log.endOffset;
  const { bytes, aborted } = log.read(1, 100_000, true);
  const { records, next } = decodeRecords(
    {
      topic: 't',
      partition: 0,
      recordSet: bytes,
      aborted: aborted.map(({ producerId, firstOffset }) => ({
        producerId: BigInt(producerId),
        firstOffset: BigInt(firstOffset),
      })),
    },
    1n,
  );
  expect(next).toBe(8n);
  expect(
    records.map(({ offset, key, value, headers, timestampMs }) => [
      Number(offset),
      key?.toString(),
      value?.toString(),
      headers['id'],
      timestampMs,
    ]),
  ).toEqual([
    [1, 'bx', undefined, 'bx', 1234],
    [3, 'd', 'value of d', 'd', 1234],
    [4, 'e', 'value of e', 'e', 1234],
    [7, 'f', 'value of f', 'f', 1234],
  ]);
});
