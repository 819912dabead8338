import type { ContentHash } from './content-hash.ts';

/** What the compacted topic says of a key: its last record on the key's own partition. */
export type RecordState =
  | { readonly form: 'none' }
  | { readonly form: 'tombstone' }
  /** A value that is no event of this entity: not JSON, without an id or a version, or of another id than its key. */
  | { readonly form: 'unreadable' }
  | { readonly form: 'value'; readonly version: number; readonly hash: ContentHash };

/** What the database says of an entity. */
export type RowState =
  | { readonly form: 'none' }
  /** Soft-deleted; `version` is that of the deletion. */
  | { readonly form: 'deleted'; readonly version: number }
  | { readonly form: 'live'; readonly version: number; readonly hash: ContentHash };

/**
 * How topic and database can differ, for one entity:
 * - `missing`: the row lives, and its key has no record or a tombstone.
 * - `stale`: the record says a lower version than the row.
 * - `altered`: the same version, other content.
 * - `ahead`: the record says a higher version than the row: the database was restored from a backup, or lost commits.
 * - `ghost`: a record with a value for an entity that has no row.
 * - `undeleted`: a ghost whose row is there and deleted: its tombstone is missing.
 * - `unreadable`: the record's value is no event of its key.
 * - `misplaced`: a record of the key on a partition that is not the key's own, where a reader sees it in any order.
 */
export const differenceKinds = [
  'missing',
  'stale',
  'altered',
  'ahead',
  'ghost',
  'undeleted',
  'unreadable',
  'misplaced',
] as const;
export type DifferenceKind = (typeof differenceKinds)[number];
