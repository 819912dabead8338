import { join, resolve } from 'node:path';
import { PortTakenError } from '../../errors.ts';
import { newKafkaId } from '../../kafka-id.ts';
import { freePorts } from '../../free-ports.ts';
import { cluster, defaultHeapMb, everyoneKnowsEveryone } from '../../cluster-members.ts';
import type { KafkaCluster, KafkaOptions } from '../../kafka-cluster.ts';
import { logDirIn, prepareBroker, type EmbeddedBroker } from './embedded-broker.ts';
import { local, localListeners, type NodePorts } from './local-listeners.ts';
import { kafkaRuntime, type KafkaRuntime } from './runtime.ts';
import { clusterIdOf } from './storage.ts';
import { runTool } from './tool.ts';

const bindTries = 5;

/** Starts Kafka as our own processes. @throws StackError when it cannot start, with the end of the log of the broker that failed. */
export async function startEmbeddedKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { brokers: count = 1, log = () => undefined } = options;
  const runtime = await kafkaRuntime(log);
  for (let tries = 1; ; tries++) {
    const brokers = await prepare(options, runtime, count);
    try {
      await startAll(brokers);
      return clusterOf(brokers, runtime);
    } catch (error) {
      await closeAll(brokers);
      // A port that was free when we looked can be taken when the broker binds it.
      if (tries < bindTries && error instanceof PortTakenError) continue;
      throw error;
    }
  }
}

async function prepare(
  options: KafkaOptions,
  runtime: KafkaRuntime,
  count: number,
): Promise<EmbeddedBroker[]> {
  const { settings = {}, advertise, jvm = 'quick' } = options;
  const folderOf = (nodeId: number): string | undefined =>
    options.dataDir === undefined ? undefined : join(resolve(options.dataDir), `broker-${nodeId}`);
  const all = await freePorts(count * 3);
  const ports = new Map<number, NodePorts>();
  for (let index = 0; index < count; index++) {
    const [client = 0, broker = 0, controller = 0] = all.slice(index * 3);
    ports.set(index + 1, { client, broker, controller });
  }
  const first = folderOf(1);
  const clusterId = (first && (await clusterIdOf(logDirIn(first)))) ?? newKafkaId();
  const brokers: EmbeddedBroker[] = [];
  const voters = new Map([...ports].map(([id, { controller }]) => [id, local(controller)]));
  for (const [nodeId, own] of ports) {
    const client = local(own.client);
    const advertised = advertise ? await advertise({ nodeId, ...client }) : client;
    brokers.push(
      await prepareBroker({
        runtime,
        jvm,
        heapMb: options.heapMb ?? defaultHeapMb(count),
        clusterId,
        folder: folderOf(nodeId),
        advertised,
        direct: local(own.broker),
        config: { nodeId, voters, settings, listeners: localListeners(own, advertised).listeners },
      }),
    );
  }
  return brokers;
}

/** Every node needs the others for a quorum, so they start together, and the cluster is up when each broker knows all of them. */
async function startAll(brokers: readonly EmbeddedBroker[]): Promise<void> {
  await Promise.all(
    brokers.filter((broker) => !broker.isRunning()).map(async (broker) => broker.start()),
  );
  await everyoneKnowsEveryone(brokers);
}

async function closeAll(brokers: readonly EmbeddedBroker[]): Promise<void> {
  await Promise.all(brokers.map(async (broker) => broker.close()));
}

function clusterOf(brokers: EmbeddedBroker[], runtime: KafkaRuntime): KafkaCluster {
  const close = async (): Promise<void> => closeAll(brokers);
  const members = cluster(brokers);
  return {
    form: 'processes',
    ...members,
    tool: async (name, args, options) =>
      runTool(runtime, members.directBootstrap, name, args, options),
    stop: async () => {
      await Promise.all(brokers.filter((one) => one.isRunning()).map(async (one) => one.stop()));
    },
    start: async () => startAll(brokers),
    close,
    [Symbol.asyncDispose]: close,
  };
}
