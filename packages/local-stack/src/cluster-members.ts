import { StackError } from './errors.ts';
import type { Endpoint, KafkaBroker, KafkaCluster } from './kafka-cluster.ts';
import { clusterView } from './metadata-probe.ts';
import { pollUntil } from './poll-until.ts';

/** Three brokers share a laptop. */
export const defaultHeapMb = (brokers: number): number => (brokers === 1 ? 512 : 384);

/** Comes back when each broker is alive in the eyes of all. @throws StackError after 60 s. */
export async function everyoneKnowsEveryone(
  brokers: readonly { readonly nodeId: number; readonly direct: Endpoint }[],
): Promise<void> {
  const everyone = brokers.map(({ nodeId }) => nodeId).join();
  await pollUntil(
    async () => {
      const views = await Promise.all(brokers.map(async ({ direct }) => clusterView(direct)));
      return views.every(({ aliveNodes }) => aliveNodes.join() === everyone);
    },
    { what: `Kafka brokers ${everyone} knowing each other`, timeoutMs: 60_000 },
  );
}

/** What a cluster says of its members, whatever form they have. */
export function cluster(
  brokers: readonly KafkaBroker[],
): Pick<KafkaCluster, 'bootstrap' | 'directBootstrap' | 'brokers' | 'broker'> {
  return {
    bootstrap: brokers.map(({ address }) => address),
    directBootstrap: brokers.map(({ directAddress }) => directAddress),
    brokers,
    broker: (nodeId) => {
      const broker = brokers.find((one) => one.nodeId === nodeId);
      if (broker) return broker;
      const known = brokers.map((one) => one.nodeId).join(', ');
      throw new StackError(`there is no Kafka node ${nodeId}, only ${known}`);
    },
  };
}
