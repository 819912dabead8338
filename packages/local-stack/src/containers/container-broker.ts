import type { StartedNetwork } from 'testcontainers';
import {
  brokerProperties,
  endpointText,
  environmentName,
  type Listener,
} from '../broker-properties.ts';
import { defaultHeapMb } from '../cluster-members.ts';
import type { Endpoint, KafkaBroker, KafkaOptions } from '../kafka-cluster.ts';
import { clusterView } from '../metadata-probe.ts';
import { once } from '../once.ts';
import { kafkaVersion } from '../processes/kafka/jars.ts';
import { onlyAsProcess, startContainer, type Container } from './container.ts';
import { volumeName } from './volume.ts';

/** Inside the container, where every port is free. */
export const insidePorts = { client: 9092, controller: 9093, broker: 9094, direct: 9095 } as const;

/** The name of a node on the network of its cluster. */
export const brokerAlias = (nodeId: number): string => `kafka-${nodeId}`;

const logDir = '/var/lib/kafka/data';
const startTimeoutMs = 120_000;

export interface ContainerBroker extends KafkaBroker {
  readonly container: Container;
  readonly direct: Endpoint;
  isRunning(): Promise<boolean>;
  /** Comes back when it is a member of its cluster. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Creates and starts one broker, and does not wait: the others of its cluster may still be missing. */
export async function createBroker(setup: {
  readonly nodeId: number;
  readonly voters: ReadonlyMap<number, Endpoint>;
  readonly clusterId: string;
  readonly network: StartedNetwork;
  readonly client: Endpoint;
  readonly advertised: Endpoint;
  readonly direct: Endpoint;
  readonly options: KafkaOptions;
}): Promise<ContainerBroker> {
  const { nodeId, voters, clusterId, network, client, advertised, direct, options } = setup;
  const alias = brokerAlias(nodeId);
  const at = (port: number): Endpoint => ({ host: '0.0.0.0', port });
  const listeners: Listener[] = [
    { name: 'CLIENT', bind: at(insidePorts.client), advertised },
    { name: 'DIRECT', bind: at(insidePorts.direct), advertised: direct },
    {
      name: 'BROKER',
      bind: at(insidePorts.broker),
      advertised: { host: alias, port: insidePorts.broker },
    },
    { name: 'CONTROLLER', bind: at(insidePorts.controller) },
  ];
  const { settings = {}, dataDir, jvm = 'quick', heapMb = defaultHeapMb(voters.size) } = options;
  const properties = brokerProperties({ nodeId, voters, listeners, logDir, settings });
  const container = await startContainer({
    what: `Kafka node ${nodeId}`,
    image: `apache/kafka:${kafkaVersion}`,
    environment: {
      ...Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [environmentName(name), value]),
      ),
      CLUSTER_ID: clusterId,
      KAFKA_HEAP_OPTS: `-Xmx${heapMb}m`,
      ...(jvm === 'quick' && { KAFKA_OPTS: '-XX:TieredStopAtLevel=1' }),
    },
    ports: [
      { container: insidePorts.client, host: client.port },
      { container: insidePorts.direct, host: direct.port },
    ],
    network: { network, alias },
    ...(dataDir !== undefined && {
      volume: { name: volumeName(dataDir, `kafka-${nodeId}`), at: logDir },
    }),
  });
  const close = once(async () => {
    if (dataDir !== undefined && (await container.isRunning())) {
      await container.resume();
      await container.end('SIGTERM', 20_000).catch(container.kill);
    }
    await container.remove();
  });
  const ready = async (): Promise<void> =>
    container.untilReady(
      async () => (await clusterView(direct)).aliveNodes.includes(nodeId),
      startTimeoutMs,
    );
  return {
    nodeId,
    container,
    address: endpointText(advertised),
    directAddress: endpointText(direct),
    direct,
    get pid() {
      return onlyAsProcess('the pid of a broker', container.id);
    },
    get logFile() {
      return onlyAsProcess('the log of a broker', container.id);
    },
    isRunning: container.isRunning,
    kill: container.kill,
    stop: async ({ timeoutMs = 60_000 } = {}) => container.end('SIGTERM', timeoutMs),
    ready,
    start: async () => {
      await container.start();
      await ready();
    },
    pause: container.pause,
    resume: container.resume,
    close,
  };
}
