import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { Cluster } from '../cluster/cluster.ts';
import type { KafkaReads } from '../ports/kafka-reads.ts';
import { BrokerGroupCoordinator } from './broker-group-coordinator.ts';
import { BrokerTopicLog } from './broker-topic-log.ts';

/**
 * The real `KafkaReads`: everything over connections of its own, which are made when they are first needed. Close it.
 * @param log where the connections' troubles are told; each failure is thrown too.
 * @throws KafkaError KAFKAJS_VERSION
 */
export function openKafkaReads(connection: KafkaConnection, log: KafkaLog): Promise<KafkaReads> {
  const cluster = new Cluster(connection, log);
  return Promise.resolve({
    log: new BrokerTopicLog(cluster),
    group: (groupId: string) => new BrokerGroupCoordinator(cluster, groupId),
    close: () => {
      cluster.close();
      return Promise.resolve();
    },
  });
}
