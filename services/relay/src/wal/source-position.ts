import type { FingerprintedSource } from '@outbound/service-kit';
import { lsnFromText, lsnToText, type Lsn } from './lsn.ts';

export { sourceFingerprint } from '@outbound/service-kit';

/**
 * Where an event stands in the log: the start of its transaction's commit record, and its index among the
 * transaction's outbox rows. This order is the order of delivery. (Row positions and serial ids are not: a
 * transaction that began earlier and committed later comes later with lower ones.)
 */
export interface SourcePosition {
  readonly commitLsn: Lsn;
  readonly index: number;
}

/**
 * Which log is read, and by whom. Positions of two sources never compare; those of one source may be of two histories, if a server was
 * promoted or brought back to an earlier state.
 */
export interface SourceIdentity extends FingerprintedSource {
  readonly timeline: number;
}

/** **Shape**: `16/B374D848:3@9f86d081` (commit position, index, source). The value of the header `source_lsn`. */
export function sourcePositionToText(position: SourcePosition, fingerprint: string): string {
  return `${lsnToText(position.commitLsn)}:${position.index}@${fingerprint}`;
}

/** The position in a `source_lsn` header, if it is well-formed and from this very source; else undefined, which means "publish again". */
export function sourcePositionFromText(
  text: string,
  fingerprint: string,
): SourcePosition | undefined {
  const match = /^([0-9A-F]{1,8}\/[0-9A-F]{1,8}):(\d{1,10})@([0-9a-f]{8})$/.exec(text);
  if (!match?.[1] || !match[2] || match[3] !== fingerprint) return undefined;
  return { commitLsn: lsnFromText(match[1]), index: Number(match[2]) };
}

/** Negative if `a` comes before `b`, zero if they are the same. */
export function comparePositions(a: SourcePosition, b: SourcePosition): number {
  if (a.commitLsn !== b.commitLsn) return a.commitLsn < b.commitLsn ? -1 : 1;
  return a.index - b.index;
}
