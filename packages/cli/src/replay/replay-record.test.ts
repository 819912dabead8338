import { productChange } from '@outbound/schemas';
import { expect, test } from 'vitest';
import { toRecords } from '../../../../services/relay/src/kafka/to-records.ts';
import { replayRecord } from './replay-record.ts';

test('a replayed record is what the relay publishes, but for where it was in the log, and marked', () => {
  const event = {
    eid: '01930e2a-7b1c-7000-8000-000000000002',
    aggregateId: '01930e2a-7b1c-7000-8000-000000000001',
    type: productChange.name,
    version: '3',
    dataOp: 'U',
    payload: '{"n":12345678901234567890,"t":"ä"}',
    headers: '{"flow_id":"f","traceparent":"t","other":"x"}',
    createdAt: '2026-03-01T12:00:00.123456Z',
  } as const;
  const [relayed] = toRecords(
    {
      ...event,
      aggregateType: productChange.dataType,
      payload: Buffer.from(event.payload),
      headers: JSON.parse(event.headers) as Record<string, string>,
      position: { commitLsn: 0x10n as never, index: 0 },
      commitTimeMs: 0,
    },
    productChange,
    '0123abcd',
  );
  const replayed = replayRecord(event, productChange, new Date('2026-03-02T00:00:00Z'));
  const { source_lsn: _, ...headers } = relayed?.headers ?? {};
  expect(replayed).toEqual({
    key: relayed?.key,
    value: relayed?.value?.toString(),
    headers: { ...headers, replay: 'true', replayed_at: '2026-03-02T00:00:00.000Z' },
  });
});
