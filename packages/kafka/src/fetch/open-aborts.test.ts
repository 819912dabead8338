import { describe, expect, it } from 'vitest';
import { OpenAborts, type TransactionalBatch } from './open-aborts.ts';

const records = (producerId: bigint, lastOffset: bigint): TransactionalBatch => ({
  producerId,
  lastOffset,
  isTransactional: true,
  isAbortMarker: false,
});
const abort = (producerId: bigint, lastOffset: bigint): TransactionalBatch => ({
  ...records(producerId, lastOffset),
  isAbortMarker: true,
});
const covered = (
  aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[],
  batches: readonly TransactionalBatch[],
): readonly boolean[] => {
  const aborts = new OpenAborts(aborted);
  return batches.map((batch) => aborts.covers(batch));
};

describe('what belongs to aborted transactions', () => {
  it('begins with the first offset of one and ends with its marker', () => {
    expect(
      covered(
        [{ producerId: 7n, firstOffset: 10n }],
        [records(7n, 9n), records(7n, 12n), records(7n, 14n), abort(7n, 15n), records(7n, 17n)],
      ),
    ).toEqual([false, true, true, false, false]);
  });

  it('is nothing of the next transaction when cleaning left only the marker of the one before', () => {
    expect(
      covered([{ producerId: 7n, firstOffset: 10n }], [abort(7n, 15n), records(7n, 17n)]),
    ).toEqual([false, false]);
  });

  it('is nothing of another producer, whose records lie between', () => {
    expect(
      covered(
        [{ producerId: 7n, firstOffset: 10n }],
        [records(7n, 10n), records(8n, 12n), abort(8n, 13n), records(7n, 14n)],
      ),
    ).toEqual([true, false, false, true]);
  });

  it('is found in whatever order the broker lists the transactions', () => {
    expect(
      covered(
        [
          { producerId: 8n, firstOffset: 20n },
          { producerId: 7n, firstOffset: 10n },
        ],
        [records(7n, 11n), abort(7n, 12n), records(8n, 21n), records(7n, 22n)],
      ),
    ).toEqual([true, false, true, false]);
  });

  it('is nothing that was written outside transactions, or without a producer id', () => {
    expect(
      covered(
        [{ producerId: 7n, firstOffset: 10n }],
        [{ ...records(7n, 11n), isTransactional: false }, records(-1n, 12n)],
      ),
    ).toEqual([false, false]);
  });
});
