/** Whose keys: a group parks for itself, per topic. */
export interface ParkScope {
  readonly group: string;
  readonly topic: string;
}

/** Where the record of an event is. */
export interface ParkedPlace {
  /** Tells it from one in a topic that was made again; undefined where no broker says, or an earlier release has parked the key. */
  readonly topicId?: string | undefined;
  readonly partition: number;
  readonly offset: bigint;
  /** Of the record, ms since 1970: tells the same where a topic's id is not known, as far as the writer's clock can. */
  readonly timestampMs: number;
}

/** The first event of a key that could not be handled: what comes after it waits behind its dead letter. */
export interface ParkedEvent {
  readonly eid: string;
  /** Undefined where an earlier release has parked the key. */
  readonly place: ParkedPlace | undefined;
}

/**
 * The keys of which a dead letter is waiting. Must outlive the process where order matters: a member that forgot a parked key would handle
 * its later events before the dead letter. A key is the text that `keyText` of `@outbound/kafka` makes of its bytes, and events have as `key`.
 */
export interface ParkedKeys {
  list(scope: ParkScope): Promise<ReadonlySet<string>>;
  /** For which event the key is parked; undefined if nobody has parked it, or it was released. */
  parkedFor(scope: ParkScope, key: string): Promise<ParkedEvent | undefined>;
  /** Parked already is no error: the earlier of the two events (`isBefore`) is the one from then on. */
  park(scope: ParkScope, key: string, event: ParkedEvent): Promise<void>;
  /**
   * Lets events of the key be handled again; gives whether it was parked. **Order**: only after its dead letters were dealt with, and while the group
   * does not run, or an event may still go to the dead-letter topic behind your back.
   */
  release(scope: ParkScope, key: string): Promise<boolean>;
}

/** Whether one place is before the other in the same partition; false where that is not known. */
export function isBefore(one: ParkedPlace, other: ParkedPlace | undefined): boolean {
  if (other?.partition !== one.partition || one.offset >= other.offset) return false;
  // Times of one topic may go back: a writer's clock was set.
  if (one.topicId !== undefined && other.topicId !== undefined)
    return one.topicId === other.topicId;
  // A topic that was made again has lower offsets and later times.
  return one.timestampMs <= other.timestampMs;
}

/** Forgets with the process: for tests, and for groups whose handlers do not mind order after a restart. */
export function createMemoryParkedKeys(): ParkedKeys {
  const parked = new Map<string, Map<string, ParkedEvent>>();
  const keysOf = ({ group, topic }: ParkScope): Map<string, ParkedEvent> => {
    const name = JSON.stringify([group, topic]);
    const keys = parked.get(name) ?? new Map<string, ParkedEvent>();
    parked.set(name, keys);
    return keys;
  };
  return {
    list: (scope) => Promise.resolve(new Set(keysOf(scope).keys())),
    parkedFor: (scope, key) => Promise.resolve(keysOf(scope).get(key)),
    park(scope, key, event) {
      const before = keysOf(scope).get(key);
      if (!before || (event.place && isBefore(event.place, before.place)))
        keysOf(scope).set(key, event);
      return Promise.resolve();
    },
    release: (scope, key) => Promise.resolve(keysOf(scope).delete(key)),
  };
}
