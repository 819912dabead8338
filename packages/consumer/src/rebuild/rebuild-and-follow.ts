import { openKafkaReads } from '@outbound/kafka';
import { systemClock, type KafkaConnection, type KafkaLog } from '@outbound/service-kit';
import type { ReadSummary } from '../topic-reader/read-summary.ts';
import { readTopicsWith } from '../topic-reader/read-topics.ts';
import type { ReadPorts } from '../topic-reader/topic-reading.ts';
import type { RebuildWithOptions } from './rebuild-options.ts';
import { rebuildOver } from './rebuild-over.ts';

export interface RebuildOptions extends RebuildWithOptions {
  readonly connection: KafkaConnection;
}

/**
 * Builds the latest state of every key of a compacted topic in a store, says when it is complete, and follows without a
 * gap: the same reader simply goes on.
 * Tombstones delete; a version never gives way to an older one. A store that has positions goes on from them, if they
 * are of this very topic and no deletion can have been
 * missed meanwhile (see `resumePlan`): else it is cleared and filled from the beginning. The same holds while it runs:
 * a topic that is made again, partitions that are added, a process that is suspended for too long, records that
 * retention removed before they were read.
 * Until it has caught up, a store that was empty holds a part of the state; one that went on is behind, and has keys
 * and values that have been true.
 * @throws ConsumerError of `readTopics`; STATE_UNREADABLE for a record without a key; REBUILD_OVERTAKEN if the topic's
 * deletions or records go faster than it can be read; and what the
 * store throws: its last step does not count then.
 */
export async function rebuildAndFollow(options: RebuildOptions): Promise<ReadSummary> {
  const kafka = await openKafkaReads(options.connection, options.log ?? silentLog);
  try {
    return await rebuildWith({ kafka, clock: systemClock, random: Math.random }, options);
  } finally {
    await kafka.close();
  }
}

/** `rebuildAndFollow` over ports, which stay open. @throws as `rebuildAndFollow` */
export function rebuildWith(ports: ReadPorts, options: RebuildWithOptions): Promise<ReadSummary> {
  const { topic, log, silenceMs } = options;
  return rebuildOver(
    {
      clock: ports.clock,
      read: (each) =>
        readTopicsWith(ports, {
          ...each,
          topics: [topic],
          ...(log ? { log } : {}),
          ...(silenceMs === undefined ? {} : { silenceMs }),
        }),
    },
    options,
  );
}

const silentLog: KafkaLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
