import { expect, it } from 'vitest';
import { readRange } from './read-on.ts';

const nothing = {
  highWatermark: 9n,
  lastStableOffset: 9n,
  logStartOffset: 5n,
  aborted: [],
  recordSet: Buffer.alloc(0),
};

it('passes a removal of what it was about to read as something to be asked again, and not as a verdict', async () => {
  const at = { topic: 't', partition: 0 };
  const removed = {
    fetch: () => Promise.resolve([{ ...at, ...nothing, errorCode: 1 }]),
  };
  await expect(
    readRange(removed, 1, { ...at, from: 2n, end: 9n }, () => true),
  ).rejects.toMatchObject({
    code: 'KAFKA_PARTITION_UNAVAILABLE',
    message:
      'partition t/0: OFFSET_OUT_OF_RANGE: records from offset 2 on were removed while it was read (retention?)',
  });
});
