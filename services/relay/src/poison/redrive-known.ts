import type { OutboxRowText, ParkedState } from '@outbound/schemas';

/** A parked key, as the session knows it. */
export interface ParkedKey {
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly state: ParkedState;
}

/** What redriving needs of the outside. */
export interface RedrivePorts {
  /** The keys that are parked now; empty while there is no session. */
  readonly parked: () => Iterable<ParkedKey>;
  readonly knows: (type: string) => boolean;
  /** The rows of the letters of these keys that wait, each key's in order, handed over in bundles. */
  readonly rows: (
    keys: readonly ParkedKey[],
    each: (rows: readonly OutboxRowText[]) => Promise<void>,
  ) => Promise<void>;
  /** Puts rows into the outbox, in order, in one transaction. */
  readonly write: (rows: readonly OutboxRowText[]) => Promise<void>;
}

/**
 * Which of the keys waited for this relay: their first event is of a type that is known now, and they have not been
 * tried as they stand.
 */
export function keysToRedrive(
  parked: Iterable<ParkedKey>,
  knows: (type: string) => boolean,
  tried: ReadonlySet<string>,
): ParkedKey[] {
  return Array.from(parked).filter(
    (key) =>
      key.state.code === 'EVENT_TYPE_UNKNOWN' && knows(key.state.type) && !tried.has(tryOf(key)),
  );
}

/**
 * Writes the letters of keys again that waited for a relay that knows their type: this one. Once for each state of a
 * key, so that a letter behind them that still cannot be published is not tried for ever. Through the outbox, as a
 * person does it (`outbound dead-letters redrive`): the same rule decides whether it is a letter's turn. Gives how
 * many keys.
 */
export async function redriveKnown(ports: RedrivePorts, tried: Set<string>): Promise<number> {
  const keys = keysToRedrive(ports.parked(), ports.knows, tried);
  if (keys.length === 0) return 0;
  await ports.rows(keys, (rows) => ports.write(rows));
  for (const key of keys) tried.add(tryOf(key));
  return keys.length;
}

function tryOf({ aggregateType, aggregateId, state }: ParkedKey): string {
  return JSON.stringify([aggregateType, aggregateId, state.since, state.done, state.count]);
}
