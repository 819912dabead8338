/** Whose keys: a group parks for itself, per topic. */
export interface ParkScope {
  readonly group: string;
  readonly topic: string;
}

/**
 * The keys of which a dead letter is waiting. Must outlive the process where order matters: a member that forgot a parked key would handle
 * its later events before the dead letter. A key is the text that `keyText` of `@outbound/kafka` makes of its bytes, and events have as `key`.
 */
export interface ParkedKeys {
  list(scope: ParkScope): Promise<ReadonlySet<string>>;
  /** True while nobody has released it. */
  isParked(scope: ParkScope, key: string): Promise<boolean>;
  /** Parked already is no error. */
  park(scope: ParkScope, key: string, first: { readonly eid: string }): Promise<void>;
  /**
   * Lets events of the key be handled again; gives whether it was parked. **Order**: only after its dead letters were dealt with, and while the group
   * does not run, or an event may still go to the dead-letter topic behind your back.
   */
  release(scope: ParkScope, key: string): Promise<boolean>;
}

/** Forgets with the process: for tests, and for groups whose handlers do not mind order after a restart. */
export function createMemoryParkedKeys(): ParkedKeys {
  const parked = new Map<string, Set<string>>();
  const keysOf = ({ group, topic }: ParkScope): Set<string> => {
    const name = JSON.stringify([group, topic]);
    const keys = parked.get(name) ?? new Set();
    parked.set(name, keys);
    return keys;
  };
  return {
    list: (scope) => Promise.resolve(new Set(keysOf(scope))),
    isParked: (scope, key) => Promise.resolve(keysOf(scope).has(key)),
    park: (scope, key) => Promise.resolve(void keysOf(scope).add(key)),
    release: (scope, key) => Promise.resolve(keysOf(scope).delete(key)),
  };
}
