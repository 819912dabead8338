import { expect, it } from 'vitest';
import { RelayError } from './errors.ts';
import { KnownOfSource } from './known-of-source.ts';
import type { Lsn } from './wal/lsn.ts';

it('keeps what brokers refuse for as long as it may come again from the log, and no longer', () => {
  const known = new KnownOfSource();
  const at = (lsn: bigint) => ({ commitLsn: lsn as Lsn, index: 0 });
  const error = new RelayError('EVENT_REFUSED', 'refused');
  for (const lsn of [10n, 20n, 30n]) known.refuse('e', at(lsn), error);
  known.confirmedUpTo(20n as Lsn);
  expect([10n, 20n, 30n].map((lsn) => known.refusalOf('e', at(lsn)))).toEqual([
    undefined,
    error,
    error,
  ]);
});
