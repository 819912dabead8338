import { expect, it } from 'vitest';
import { openLane, type Lane } from './lane.ts';
import { silence } from './silence.ts';

const lane = (over: Partial<Lane>): Lane => ({
  ...openLane({ topic: 't', partition: 3, low: 0n, high: 20n }, 5n, 0).lane,
  highWatermark: 20n,
  lastStableOffset: 20n,
  ...over,
});

it('names the partition, where it stands, and what the broker said last', () => {
  expect(silence([lane({ trouble: 'broker 2 is away' })], 500)).toMatchObject({
    code: 'READER_STALLED',
    message: expect.stringContaining('t/3 (at offset 5 of 20, broker 2 is away)') as string,
  });
});

it('names the open transaction that holds the rest back, and how to find it', () => {
  const error = silence([lane({}), lane({ lastStableOffset: 5n })], 500);
  expect(error.code).toBe('TRANSACTION_OPEN');
  expect(error.message).toContain('t/3 from offset 5 on, and the end to reach is 20');
  expect(error.message).toContain('kafka-transactions.sh');
});

it('does not blame a transaction for an end that was lost, or for a broker that is away', () => {
  const atItsEnd = lane({ highWatermark: 5n, lastStableOffset: 5n });
  expect(silence([atItsEnd], 500).code).toBe('READER_STALLED');
  const away = lane({ lastStableOffset: 5n, trouble: 'no answer' });
  expect(silence([away], 500).code).toBe('READER_STALLED');
});
