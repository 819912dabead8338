import { createHash } from 'node:crypto';
import { lsnFromText, lsnToText, type Lsn } from './lsn.ts';

/**
 * Where an event stands in the log: the start of its transaction's commit record, and its index among the
 * transaction's outbox rows. This order is the order of delivery. (Row positions and serial ids are not: a
 * transaction that began earlier and committed later comes later with lower ones.)
 */
export interface SourcePosition {
  readonly commitLsn: Lsn;
  readonly index: number;
}

/** Which log a position belongs to. A restored or promoted server has another timeline, so its positions never compare. */
export interface SourceIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly database: string;
  readonly slot: string;
}

/** Eight hexadecimal digits that tell one source from another in a record header. */
export function sourceFingerprint(identity: SourceIdentity): string {
  const { systemIdentifier, timeline, database, slot } = identity;
  return createHash('sha256')
    .update(JSON.stringify([systemIdentifier, timeline, database, slot]))
    .digest('hex')
    .slice(0, 8);
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
