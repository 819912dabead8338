import { openKafkaReads, type KafkaReads } from '@outbound/kafka';
import {
  systemClock,
  type Clock,
  type KafkaConnection,
  type KafkaLog,
} from '@outbound/service-kit';
import { readTopics, type ReadSummary } from '../topic-reader/read-topics.ts';
import type { ReadTopic } from './read-topic.ts';
import type { RebuildWithOptions } from './rebuild-options.ts';
import { rebuildOver } from './rebuild-over.ts';
import { watchTopic } from './watch-topic.ts';

export interface RebuildOptions extends RebuildWithOptions {
  readonly connection: KafkaConnection;
}

/**
 * Builds the latest state of every key of a compacted topic in a store, says when it is complete, and follows without a gap: the same reader simply goes on.
 * Tombstones delete; a version never gives way to an older one. A store that has positions goes on from them, if they are of this very topic and no deletion can have been
 * missed meanwhile (see `resumePlan`): else it is cleared and filled from the beginning. The same holds while it runs: a topic that is made again, partitions
 * that are added, a process that is suspended for too long.
 * Until it has caught up, a store that was empty holds a part of the state; one that went on is behind, and has keys and values that have been true.
 * @throws ConsumerError of `readTopics`; STATE_UNREADABLE for a record without a key; REBUILD_OVERTAKEN if the topic's deletions go faster than it can be read; and what the
 * store throws: its last step does not count then.
 */
export async function rebuildAndFollow(options: RebuildOptions): Promise<ReadSummary> {
  const { connection, topic, log = silentLog, silenceMs } = options;
  const kafka = await openKafkaReads(connection, log);
  try {
    return await rebuildWith(
      {
        kafka,
        clock: systemClock,
        read: (each) =>
          readTopics({
            ...each,
            ...{ connection, log, topics: [topic] },
            ...(silenceMs === undefined ? {} : { silenceMs }),
          }),
      },
      options,
    );
  } finally {
    await kafka.close();
  }
}

/** What a rebuild needs of the world. */
export interface RebuildPorts {
  readonly kafka: Pick<KafkaReads, 'log'>;
  readonly clock: Clock;
  /** How the topic is read: with `readTopics`, over the same cluster. */
  readonly read: ReadTopic;
}

/** `rebuildAndFollow` over ports: the same core, for a world of its own. Closes nothing. @throws as `rebuildAndFollow` */
export function rebuildWith(
  { kafka, clock, read }: RebuildPorts,
  options: RebuildWithOptions,
): Promise<ReadSummary> {
  const { topic } = options;
  return rebuildOver({ clock, read: watchTopic(read, { log: kafka.log, clock, topic }) }, options);
}

const silentLog: KafkaLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
