import type { GroupCoordinator, KafkaReads, TopicLog } from '@outbound/kafka';
import { batchBounds } from './batch-bounds.ts';

/** Another log in the place of this one, in the methods that are given. */
export function withLog(reads: KafkaReads, over: (log: TopicLog) => Partial<TopicLog>): KafkaReads {
  const { log } = reads;
  return {
    log: {
      topics: (names) => log.topics(names),
      offsets: (nodeId, partitions, at) => log.offsets(nodeId, partitions, at),
      fetch: (nodeId, request) => log.fetch(nodeId, request),
      ...over(log),
    },
    group: (groupId) => reads.group(groupId),
    close: () => reads.close(),
  };
}

/** Another coordinator in the place of this one, in the methods that are given. */
export function withGroup(
  reads: KafkaReads,
  over: (group: GroupCoordinator) => Partial<GroupCoordinator>,
): KafkaReads {
  return {
    log: reads.log,
    group: (groupId) => {
      const group = reads.group(groupId);
      return {
        join: (request) => group.join(request),
        sync: (member, assignments) => group.sync(member, assignments),
        heartbeat: (member) => group.heartbeat(member),
        leave: (member) => group.leave(member),
        commit: (member, entries) => group.commit(member, entries),
        committed: (partitions) => group.committed(partitions),
        close: () => group.close(),
        ...over(group),
      };
    },
    close: () => reads.close(),
  };
}

/** The list of aborted transactions is consumed by data only, so that a marker without data leaves its entry for what comes next (our rule before 7.1.2). */
export function withOldAbortedRule(reads: KafkaReads): KafkaReads {
  return withLog(reads, (log) => ({
    fetch: async (nodeId, request) =>
      (await log.fetch(nodeId, request)).map((answer) => {
        const data = batchBounds(answer.recordSet).filter(
          ({ isControl, isTransactional }) => isTransactional && !isControl,
        );
        const aborted = answer.aborted.map((entry) => {
          const next = data.find(
            ({ producerId, lastOffset }) =>
              BigInt(producerId) === entry.producerId && BigInt(lastOffset) >= entry.firstOffset,
          );
          return next ? { ...entry, firstOffset: BigInt(next.baseOffset) } : entry;
        });
        return { ...answer, aborted };
      }),
  }));
}
