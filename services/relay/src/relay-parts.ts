import type { DeadLetterTopics, EventType } from '@outbound/contract';
import type { Clock } from '@outbound/service-kit';
import type { ReachFailPoint } from './fail-points.ts';
import type { Publisher } from './kafka/publisher.ts';
import type { SendLimits } from './kafka/send-plan.ts';
import type { ValuePrefixes } from './kafka/value-prefixes.ts';
import type { RelayObserver } from './relay-observer.ts';
import type { ChangeSource } from './wal/change-source.ts';
import type { OutboxTable } from './wal/outbox-table.ts';

export interface RelaySettings {
  /** The table whose inserts are events. */
  readonly outbox: OutboxTable;
  readonly limits: SendLimits;
  /** Reading pauses when more than this is unconfirmed (I9). */
  readonly maxInFlightBytes: number;
  /** How long a stop, a renewal or a halt waits for what is in flight. */
  readonly drainMs: number;
  /** A pause of the process longer than this puts the possession of the slot in doubt, and one after which the slot may be lost (`heldForMs`) in any case. */
  readonly stallLimitMs: number;
  /** Event ids to leave out if they can't be published; an operator's decision, logged for each. */
  readonly skipEvents: ReadonlySet<string>;
  /** Where poison goes, so that its key waits and nothing else does; without it nobody knows which keys are parked. */
  readonly deadLetters?: DeadLetterTopics | undefined;
  /** What becomes of poison of a key that is free. Keys that are parked stay so in both cases. `park` if not said. */
  readonly onPoison?: 'park' | 'stop';
  /** Where values name their schema; without it they are plain JSON. */
  readonly valuePrefixes?: ValuePrefixes | undefined;
}

/** Everything a relay is made of. The same assembly runs in production, in the simulator and in tests. */
export interface RelayParts {
  readonly source: ChangeSource;
  readonly publisher: Publisher;
  readonly eventTypes: ReadonlyMap<string, EventType>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly settings: RelaySettings;
  readonly observer: RelayObserver;
  readonly failPoint: ReachFailPoint;
}
