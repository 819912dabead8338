import { randomUUID } from 'node:crypto';
import { Network, type StartedNetwork } from 'testcontainers';
import { cluster, everyoneKnowsEveryone } from '../cluster-members.ts';
import { StackError } from '../errors.ts';
import { freePorts } from '../free-ports.ts';
import { newKafkaId } from '../kafka-id.ts';
import type { KafkaCluster, KafkaOptions } from '../kafka-cluster.ts';
import { once } from '../once.ts';
import { startGuardian } from '../processes/guardian.ts';
import { containerHost } from './container.ts';
import {
  brokerAlias,
  createBroker,
  insidePorts,
  type ContainerBroker,
} from './container-broker.ts';
import { runToolInside } from './container-tool.ts';
import { clusterIdFor } from './volume.ts';

/** Starts the official image, once for each broker, on a network of their own. @throws StackError with the end of the log of the one that failed. */
export async function startContainerKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { brokers: count = 1, advertise } = options;
  const host = await containerHost();
  const ports = await freePorts(count * 2);
  const voters = new Map(
    Array.from({ length: count }, (_, index) => [
      index + 1,
      { host: brokerAlias(index + 1), port: insidePorts.controller },
    ]),
  );
  const clusterId = options.dataDir === undefined ? newKafkaId() : clusterIdFor(options.dataDir);
  const network = await startNetwork();
  const remove = async (created: readonly ContainerBroker[]): Promise<void> => {
    await Promise.all(created.map(async (broker) => broker.close()));
    await network.stop();
  };
  const created = await Promise.allSettled(
    [...voters.keys()].map(async (nodeId, index) => {
      const client = { host, port: ports[index * 2] ?? 0 };
      const advertised = advertise ? await advertise({ nodeId, ...client }) : client;
      const direct = { host, port: ports[index * 2 + 1] ?? 0 };
      return createBroker({
        nodeId,
        voters,
        clusterId,
        network: network.started,
        client,
        advertised,
        direct,
        options,
      });
    }),
  );
  const brokers = created.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  try {
    for (const one of created) if (one.status === 'rejected') throw one.reason;
    await Promise.all(brokers.map(async (broker) => broker.ready()));
    await everyoneKnowsEveryone(brokers);
  } catch (error) {
    await remove(brokers);
    throw error;
  }
  const members = cluster(brokers);
  const close = once(async () => remove(brokers));
  return {
    form: 'containers',
    ...members,
    tool: async (name, args, toolOptions) => runToolInside(brokers, name, args, toolOptions),
    stop: async () => {
      await Promise.all(brokers.map(async (one) => (await one.isRunning()) && one.stop()));
    },
    start: async () => {
      await Promise.all(brokers.map(async (one) => (await one.isRunning()) || one.start()));
      await everyoneKnowsEveryone(brokers);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function startNetwork(): Promise<{ started: StartedNetwork; stop: () => Promise<void> }> {
  const name = `outbound-${randomUUID()}`;
  const guardian = await startGuardian();
  // The containers on it are removed by guardians of their own, at the same time.
  await guardian.after(
    `for n in 1 2 3 4 5 6 7 8 9 10; do docker network rm ${name} && break; sleep 1; done`,
  );
  const started = await new Network({ nextUuid: () => name }).start().catch((error: unknown) => {
    throw new StackError(
      'Docker could not make a network for Kafka: docker network prune may help',
      {
        cause: error,
      },
    );
  });
  return {
    started,
    stop: async () => {
      await started.stop();
      await guardian.leave();
    },
  };
}
