import { maxMessageBytes, type DeclaredTopic } from './topic-plan.ts';

/**
 * Where a pipeline puts what it cannot publish: the letters, and which keys wait. Both are the relay's alone to
 * write.
 */
export interface DeadLetterTopics {
  /** Every event that could not be published, and those that wait behind it, in order per key. */
  readonly deadLetters: DeclaredTopic;
  /** For each parked key how it stands: the journal of the relay's decisions, compacted. */
  readonly parkedKeys: DeclaredTopic;
}

const dayMs = 86_400_000;
const partitions = 3;
/**
 * A record is at most this large there, which is twice what any other topic takes: an event that is too large
 * elsewhere has room.
 */
export const maxDeadLetterBytes = 2 * maxMessageBytes;
/**
 * For this long the journal is kept whole, so that a relay that reads the log again decides as it did; a slot is not
 * to be further behind.
 */
const journalMs = 7 * dayMs;

/**
 * The two topics of a pipeline, from its topic prefix. Dead letters stay for ever (`retention.ms` −1): what was
 * promised to be published is given up by a person, not by a clock, and not by their size.
 */
export function deadLetterTopics(prefix: string): DeadLetterTopics {
  const common = {
    'message.timestamp.after.max.ms': '9223372036854775807',
    'unclean.leader.election.enable': 'false',
  };
  return {
    deadLetters: {
      topic: `${prefix}outbound.dead-letters`,
      partitions,
      cleanupPolicy: 'delete',
      configs: {
        ...common,
        'cleanup.policy': 'delete',
        'max.message.bytes': String(maxDeadLetterBytes),
        'retention.ms': '-1',
        // Else a default of the broker deletes the oldest ones.
        'retention.bytes': '-1',
        // What `outbound erase` has deleted leaves the disk with its segment.
        'segment.ms': String(dayMs),
      },
    },
    parkedKeys: {
      topic: `${prefix}outbound.parked-keys`,
      partitions,
      cleanupPolicy: 'compact',
      configs: {
        ...common,
        'cleanup.policy': 'compact',
        'max.message.bytes': String(maxMessageBytes),
        'min.compaction.lag.ms': String(journalMs),
        'delete.retention.ms': String(journalMs),
        'segment.ms': String(dayMs),
      },
    },
  };
}
