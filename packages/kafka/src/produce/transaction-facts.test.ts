import { expect, it } from 'vitest';
import { isAbortedByTime } from './transaction-facts.ts';

const ours = { producerId: 7n, producerEpoch: 10 };

it.each([
  ['PrepareEpochFence', 7n, 11, true],
  ['PrepareAbort', 7n, 11, true],
  ['CompleteAbort', 7n, 11, true],
  // With KIP-890 the end of a transaction raises it once more.
  ['CompleteAbort', 7n, 12, true],
  // A newer producer was given an epoch at least, began a transaction, and that one was aborted.
  ['CompleteAbort', 7n, 13, false],
  ['CompleteAbort', 7n, 10, false],
  ['CompleteAbort', 8n, 11, false],
  ['Empty', 7n, 11, false],
  ['Ongoing', 7n, 11, false],
] as const)(
  '%s of producer %d with epoch %d is an abort by time: %s',
  (state, producerId, producerEpoch, is) => {
    expect(isAbortedByTime({ state, producer: { producerId, producerEpoch } }, ours)).toBe(is);
  },
);
