import { randomUUID } from 'node:crypto';
import { ConsumerError } from '../errors.ts';

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
 * Proof that a member was given a partition: what it writes is refused once the partition was given to another one.
 * Without it a member that was suspended, and does not know yet that it has lost the partition, would park a key whose
 * event its successor has handled, or free one behind which its successor lets events wait.
 */
export interface ParkOwner {
  readonly partition: number;
  readonly token: string;
}

/**
 * The keys of which a dead letter is waiting. Must outlive the process where order matters: a member that forgot a parked key would handle
 * its later events before the dead letter. A key is the text that `keyText` of `@outbound/kafka` makes of its bytes, and events have as `key`.
 */
export interface ParkedKeys {
  list(scope: ParkScope): Promise<ReadonlySet<string>>;
  /** For which event the key is parked; undefined if nobody has parked it, or it was released. */
  parkedFor(scope: ParkScope, key: string): Promise<ParkedEvent | undefined>;
  /**
   * A member was given the partition: from now on nobody writes keys of it with an earlier proof. A store without it
   * fences nobody.
   */
  own?(scope: ParkScope, partition: number): Promise<ParkOwner>;
  /**
   * Parked already is no error: the earlier of the two events (`isBefore`) is the one from then on. Rejects, and has
   * written nothing, if the partition is another member's by now.
   */
  park(scope: ParkScope, key: string, event: ParkedEvent, owner?: ParkOwner): Promise<void>;
  /**
   * Lets events of the key be handled again; gives whether it was parked. **Order**: only after its dead letters were dealt with, and while the group
   * does not run, or an event may still go to the dead-letter topic behind your back; or by the owner of its partition, while nothing of that runs.
   * Rejects, and has written nothing, if the partition is another member's by now.
   */
  release(scope: ParkScope, key: string, owner?: ParkOwner): Promise<boolean>;
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

/** The partition is another member's. */
export class PartitionTaken extends ConsumerError {}

/** What a store says to a member that has lost the partition. */
export function partitionTaken({ topic }: ParkScope, { partition }: ParkOwner): PartitionTaken {
  return new PartitionTaken(
    'DEAD_LETTER_FAILED',
    `partition ${partition} of ${topic} is another member's by now: its parked keys were left as they are, and its events come to that one`,
  );
}

/** Forgets with the process: for tests, and for groups whose handlers do not mind order after a restart. */
export function createMemoryParkedKeys(): ParkedKeys {
  const parked = new Map<string, Map<string, ParkedEvent>>();
  const owners = new Map<string, string>();
  const keysOf = ({ group, topic }: ParkScope): Map<string, ParkedEvent> => {
    const name = JSON.stringify([group, topic]);
    const keys = parked.get(name) ?? new Map<string, ParkedEvent>();
    parked.set(name, keys);
    return keys;
  };
  const nameOf = ({ group, topic }: ParkScope, partition: number): string =>
    JSON.stringify([group, topic, partition]);
  const isTaken = (scope: ParkScope, owner: ParkOwner | undefined): owner is ParkOwner =>
    owner !== undefined && owners.get(nameOf(scope, owner.partition)) !== owner.token;
  return {
    list: (scope) => Promise.resolve(new Set(keysOf(scope).keys())),
    parkedFor: (scope, key) => Promise.resolve(keysOf(scope).get(key)),
    own(scope, partition) {
      const token = randomUUID();
      owners.set(nameOf(scope, partition), token);
      return Promise.resolve({ partition, token });
    },
    park(scope, key, event, owner) {
      if (isTaken(scope, owner)) return Promise.reject(partitionTaken(scope, owner));
      const before = keysOf(scope).get(key);
      if (!before || (event.place && isBefore(event.place, before.place)))
        keysOf(scope).set(key, event);
      return Promise.resolve();
    },
    release(scope, key, owner) {
      if (isTaken(scope, owner)) return Promise.reject(partitionTaken(scope, owner));
      return Promise.resolve(keysOf(scope).delete(key));
    },
  };
}
