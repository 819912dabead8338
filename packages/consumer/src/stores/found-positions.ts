import { ConsumerError } from '../errors.ts';
import type { StatePosition } from './state-store.ts';

type Positions = ReadonlyMap<number, StatePosition>;

/**
 * Holds the positions that a store has now against those that we have written into it. Others can be there for two
 * reasons, and they can be told
 * apart: another writer only goes forward; a store that is behind has lost its last steps together (a crash of a server
 * that did not wait for
 * its disk, a backup that was restored, a replica that took over and lagged), and is complete up to its positions.
 * @param name of the store, for the message.
 * @throws ConsumerError STORE_WENT_BACK, STORE_UNUSABLE
 */
export function requireAsWritten(name: string, written: Positions, found: Positions): void {
  const others = [...new Set([...written.keys(), ...found.keys()])]
    .map((partition) => ({
      partition,
      ours: written.get(partition),
      now: found.get(partition),
    }))
    .filter(({ ours, now }) => ours?.nextOffset !== now?.nextOffset || ours?.mark !== now?.mark);
  if (others.length === 0) return;
  const ahead = others.find(({ ours, now }) => now && !(ours && now.nextOffset < ours.nextOffset));
  if (ahead) throw anotherWriter(name, ahead.partition, ahead.ours, ahead.now);
  const list = others.map(
    ({ partition, ours, now }) => `${partition}: ${text(now)}, we wrote ${text(ours)}`,
  );
  throw new ConsumerError(
    'STORE_WENT_BACK',
    `${name} is behind what was written into it ` +
      `(${list.slice(0, 3).join('; ')}${list.length > 3 ? '; …' : ''}): its server crashed, was restored or was ` +
      'replaced by a replica; what it has now counts',
  );
}

/** What is thrown where a position is not the one that we have written, and not behind it. */
export function anotherWriter(
  name: string,
  partition: number,
  ours: StatePosition | undefined,
  now: StatePosition | undefined,
): ConsumerError {
  return new ConsumerError(
    'STORE_UNUSABLE',
    `somebody else writes to ${name}: its position of partition ${partition} is no longer ours ` +
      `(${text(ours)}${now ? `, now ${text(now)}` : ''}); stop one of the two`,
  );
}

function text(position: StatePosition | undefined): string {
  return position?.nextOffset.toString() ?? 'none';
}
