import type { ContentHash } from './content-hash.ts';
import type { DifferenceKind, RecordState, RowState } from './entity-states.ts';

/**
 * How a record and a row differ, or undefined if the record says what the row says (I4). Nothing of time is in it:
 * whether
 * both were looked at when they had to agree is for `decide` to say.
 */
export function compareStates(record: RecordState, row: RowState): DifferenceKind | undefined {
  if (record.form === 'unreadable') return 'unreadable';
  if (row.form !== 'live') {
    if (record.form !== 'value') return undefined;
    return row.form === 'deleted' ? 'undeleted' : 'ghost';
  }
  if (record.form !== 'value') return 'missing';
  if (record.version < row.version) return 'stale';
  if (record.version > row.version) return 'ahead';
  return isSameHash(record.hash, row.hash) ? undefined : 'altered';
}

export function isSameHash(a: ContentHash, b: ContentHash): boolean {
  return a.high === b.high && a.low === b.low;
}

/** A row as it was before the watermark: its content is not kept, because the version says whether it changed. */
export type EarlierRow =
  { readonly form: 'none' } | { readonly form: 'deleted' | 'live'; readonly version: number };

/**
 * What can be said of a candidate. `busy`: its row changed meanwhile. `suspect`: damaged, unless a commit that is not
 * visible yet explains it.
 */
export type Decision = DifferenceKind | 'same' | 'busy' | 'suspect';

/**
 * Decides one candidate from three looks, in this order: its row (`before`); then, after the relay had delivered
 * everything that was
 * committed until then, its `record`; then its row again (`after`). Why that is enough: see `verifyAggregate`.
 * @param wasSuspect the round before said `suspect`, and this round's watermark was written after that look at the
 * record.
 */
export function decide(
  before: EarlierRow,
  record: RecordState,
  after: RowState,
  { wasSuspect }: { readonly wasSuspect: boolean },
): Decision {
  if (!isUnchanged(before, after)) return 'busy';
  const difference = compareStates(record, after);
  if (difference === undefined) return 'same';
  return wasSuspect || !mayBeLater(record, after) ? difference : 'suspect';
}

/**
 * True if the record can be that of a change which comes after the row as we see it: a commit is in the log before it
 * is visible.
 */
function mayBeLater(record: RecordState, row: RowState): boolean {
  if (record.form === 'tombstone') return row.form === 'live';
  if (record.form !== 'value') return false;
  return row.form === 'none' || record.version > row.version;
}

function isUnchanged(before: EarlierRow, after: RowState): boolean {
  if (before.form === 'none' || after.form === 'none') return before.form === after.form;
  return before.form === after.form && before.version === after.version;
}

/**
 * True if a record of a busy entity can be right: a version that the row went through between the two looks. Whether
 * its content is that
 * version's is in the outbox, as long as that is kept. An entity that changes all the time is proved in this way.
 */
export function isWithin(before: EarlierRow, version: number, after: RowState): boolean {
  if (after.form === 'none') return false;
  const atLeast = before.form === 'none' ? 1 : before.version + (before.form === 'deleted' ? 1 : 0);
  const atMost = after.version - (after.form === 'deleted' ? 1 : 0);
  return atLeast <= version && version <= atMost;
}
