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

/**
 * Which log is read, and by whom. Positions of two sources never compare; those of one source may be of two histories, if a server was
 * promoted or brought back to an earlier state.
 */
export interface SourceIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly database: string;
  readonly slot: string;
}

/**
 * Eight hexadecimal digits that tell one source from another in a record header. The timeline is left out: a promoted server has the log
 * of the one before it up to the switch, and need not publish again what was published from there. Nor would it
 * tell histories apart: a storage snapshot that was brought back has the same one, and two promotions may end on one number.
 * Whether a position is of the present history is proven by its event (`kafka/tail-gate.ts`).
 */
export function sourceFingerprint(identity: SourceIdentity): string {
  const { systemIdentifier, database, slot } = identity;
  return createHash('sha256')
    .update(JSON.stringify([systemIdentifier, database, slot]))
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
