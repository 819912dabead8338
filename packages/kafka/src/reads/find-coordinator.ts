import type { Cluster } from '../cluster/cluster.ts';
import { brokerAddress } from '../cluster/known-brokers.ts';

interface FindCoordinatorAnswer {
  readonly errorCode: number;
  readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number };
}

const groupType = 0;

/**
 * Where the coordinator of a group is, as whichever broker answers first knows it; Kafka's code where it is nowhere,
 * or may not be told.
 * @throws KafkaError KAFKA_UNAVAILABLE if no broker answers, KAFKA_AUTH_FAILED
 */
export async function findCoordinator(
  cluster: Cluster,
  groupId: string,
): Promise<{ readonly errorCode: number; readonly address: string }> {
  const { errorCode, coordinator } = await cluster.askAnyone('GroupCoordinator', (link) =>
    link.ask<FindCoordinatorAnswer>('GroupCoordinator', { groupId, coordinatorType: groupType }),
  );
  return { errorCode, address: brokerAddress(coordinator.host, coordinator.port) };
}
