import { PartitionAssigners, type PartitionAssigner } from 'kafkajs';

/**
 * kafkajs' round-robin assigner, and with it a moment that kafkajs does not offer: `drain` is awaited before each join of the group, while the partitions of the old
 * assignment are still ours, so that what runs can end and be committed before another member begins there. An assigner is given the cluster, and a join
 * always asks it for the coordinator first.
 */
export function drainBeforeJoin(drain: () => Promise<void>): PartitionAssigner {
  return (config) => {
    const { cluster } = config;
    const find = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = async (group) => {
      await drain();
      return find(group);
    };
    return PartitionAssigners.roundRobin(config);
  };
}
