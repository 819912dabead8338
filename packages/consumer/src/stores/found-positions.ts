import { ConsumerError } from '../errors.ts';
import type { StatePosition } from './state-store.ts';

/** A position as a store has it now. */
export interface FoundPosition extends StatePosition {
  /** Whether it was written since we last cleared the store, or before that, or never by us or anyone before us. */
  readonly when: 'now' | 'before' | 'never';
}

/**
 * Holds the positions that a store has now against those that we have written into it. Others can be there for two
 * reasons, and they can be told apart: another writer goes forward, or clears the store, and what he writes then is of
 * an epoch that is not ours; a store that is behind has lost its last steps together (a crash of a server that did not
 * wait for its disk, a backup that was restored, a replica that took over and lagged), and is complete up to its
 * positions. One that has lost its clearing too is behind, though its positions are of an earlier epoch and higher.
 * @param name of the store, for the message.
 * @throws ConsumerError STORE_WENT_BACK, STORE_UNUSABLE
 */
export function requireAsWritten(
  name: string,
  written: ReadonlyMap<number, StatePosition>,
  found: ReadonlyMap<number, FoundPosition>,
): void {
  const others = [...new Set([...written.keys(), ...found.keys()])]
    .map((partition) => ({
      partition,
      ours: written.get(partition),
      now: found.get(partition),
    }))
    .filter(({ ours, now }) => !isSame(ours, now));
  if (others.length === 0) return;
  const ahead = others.find(({ ours, now }) => now && !isBehind(ours, now));
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

function isSame(ours: StatePosition | undefined, now: FoundPosition | undefined): boolean {
  if (!ours || !now) return ours === now;
  return now.when === 'now' && ours.nextOffset === now.nextOffset && ours.mark === now.mark;
}

function isBehind(ours: StatePosition | undefined, now: FoundPosition): boolean {
  if (now.when !== 'now') return now.when === 'before';
  return ours !== undefined && now.nextOffset < ours.nextOffset;
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
