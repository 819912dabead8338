import { RelayError } from '../errors.ts';
import { lsnToText } from '../wal/lsn.ts';
import { findingText, type RefutedTail } from './tail.ts';

/** The error for records that were withheld on account of tails that the log does not have: SOURCE_WENT_BACK, and they are read again. */
export function wentBack(refuted: readonly RefutedTail[]): RelayError {
  const [first] = refuted;
  const what = first
    ? `${first.lane} ends with event ${first.tail.eid} at ${lsnToText(first.tail.position.commitLsn)}, where the log ${findingText(first.found)}`
    : 'nothing is known of them';
  return new RelayError(
    'SOURCE_WENT_BACK',
    `the last records of ${refuted.length} partitions are not in the log, so what was taken for published is read again: ${what}`,
  );
}
