import { createHash } from 'node:crypto';
import type { SourceIdentity } from '../wal/source-position.ts';

/**
 * The name under which relays of one source fence each other. Stable over restarts, hosts and failovers: the timeline is left out,
 * because the relay of a promoted server has to fence the one that still reads the old server. Slots of other databases do not collide.
 */
export function transactionalIdOf({ systemIdentifier, database, slot }: SourceIdentity): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([systemIdentifier, database]))
    .digest('hex')
    .slice(0, 8);
  return `outbound-${slot}-${hash}`;
}
