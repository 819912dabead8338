import { createHash } from 'node:crypto';

/** What tells the log that is read, and who reads it, from another. */
export interface FingerprintedSource {
  readonly systemIdentifier: string;
  readonly database: string;
  readonly slot: string;
}

/**
 * Eight hexadecimal digits that tell one source from another in a record header. The timeline is left out: a promoted server has the log
 * of the one before it up to the switch, and need not publish again what was published from there. Nor would it
 * tell histories apart: a storage snapshot that was brought back has the same one, and two promotions may end on one number.
 * Whether a position is of the present history is proven by its event (the relay's `kafka/tail-gate.ts`).
 */
export function sourceFingerprint({
  systemIdentifier,
  database,
  slot,
}: FingerprintedSource): string {
  return createHash('sha256')
    .update(JSON.stringify([systemIdentifier, database, slot]))
    .digest('hex')
    .slice(0, 8);
}
