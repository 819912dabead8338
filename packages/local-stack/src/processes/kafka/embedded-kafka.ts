import { join, resolve } from 'node:path';
import { StackError } from '../../errors.ts';
import { freePorts } from '../../free-ports.ts';
import type { Endpoint, KafkaCluster, KafkaOptions } from '../../kafka-cluster.ts';
import { pollUntil } from '../../poll-until.ts';
import { logEnd } from '../server-process.ts';
import { host, type NodePorts } from './broker-properties.ts';
import { logDirIn, prepareBroker, type EmbeddedBroker } from './embedded-broker.ts';
import { clusterView } from './metadata-probe.ts';
import { kafkaRuntime, type KafkaRuntime } from './runtime.ts';
import { clusterIdOf, newKafkaId } from './storage.ts';
import { runTool } from './tool.ts';

const bindTries = 5;
const clusterTimeoutMs = 60_000;

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
      const logs = await Promise.all(brokers.map(async ({ logFile }) => logEnd(logFile, 200)));
      await closeAll(brokers);
      // A port that was free when we looked can be taken when the broker binds it.
      if (tries < bindTries && logs.some((text) => text.includes('Address already in use')))
        continue;
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
  for (const [nodeId, { client }] of ports) {
    const own: Endpoint = { host, port: client };
    brokers.push(
      await prepareBroker({
        runtime,
        jvm,
        heapMb: options.heapMb ?? (count === 1 ? 512 : 384),
        clusterId,
        folder: folderOf(nodeId),
        config: {
          nodeId,
          ports,
          advertised: advertise ? await advertise({ nodeId, ...own }) : own,
          settings,
        },
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
  const everyone = brokers.map(({ nodeId }) => nodeId).join();
  await pollUntil(
    async () => {
      const seen = await Promise.all(brokers.map(async ({ probePort }) => clusterView(probePort)));
      return seen.every(({ aliveNodes }) => aliveNodes.join() === everyone);
    },
    { what: `Kafka brokers ${everyone} knowing each other`, timeoutMs: clusterTimeoutMs },
  );
}

async function closeAll(brokers: readonly EmbeddedBroker[]): Promise<void> {
  await Promise.all(brokers.map(async (broker) => broker.close()));
}

function clusterOf(brokers: EmbeddedBroker[], runtime: KafkaRuntime): KafkaCluster {
  const close = async (): Promise<void> => closeAll(brokers);
  const directBootstrap = brokers.map(({ directAddress }) => directAddress);
  return {
    form: 'processes',
    bootstrap: brokers.map(({ address }) => address),
    directBootstrap,
    brokers,
    broker: (nodeId) => {
      const broker = brokers.find((one) => one.nodeId === nodeId);
      if (!broker)
        throw new StackError(
          `there is no Kafka node ${nodeId}, only ${brokers.map((one) => one.nodeId).join(', ')}`,
        );
      return broker;
    },
    tool: async (name, args, options) => runTool(runtime, directBootstrap, name, args, options),
    stop: async () => {
      await Promise.all(brokers.filter((one) => one.isRunning()).map(async (one) => one.stop()));
    },
    start: async () => startAll(brokers),
    close,
    [Symbol.asyncDispose]: close,
  };
}
