import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  brokerProperties,
  endpointText,
  propertiesText,
  type NodeConfig,
} from '../../broker-properties.ts';
import type { Endpoint, KafkaBroker, KafkaOptions } from '../../kafka-cluster.ts';
import { clusterView } from '../../metadata-probe.ts';
import { startGuardian } from '../guardian.ts';
import { once } from '../../once.ts';
import { restartable } from '../restartable.ts';
import { launch, type ServerProcess } from '../server-process.ts';
import { quickStart, tidyJvm, type KafkaRuntime } from './runtime.ts';
import { formatLogDir } from './storage.ts';

const startTimeoutMs = 90_000;

export interface BrokerSetup {
  readonly runtime: KafkaRuntime;
  readonly jvm: NonNullable<KafkaOptions['jvm']>;
  readonly heapMb: number;
  readonly clusterId: string;
  /** Where log folder, settings and log of this broker are kept; temporary where it is not given. */
  readonly folder: string | undefined;
  readonly config: Omit<NodeConfig, 'logDir'>;
  /** What clients are told. */
  readonly advertised: Endpoint;
  /** The listener of the brokers. */
  readonly direct: Endpoint;
}

export interface EmbeddedBroker extends KafkaBroker {
  /** Where to ask it who is alive. */
  readonly direct: Endpoint;
  isRunning(): boolean;
  close(): Promise<void>;
}

/** Kafka's own folder within a broker's. */
export const logDirIn = (folder: string): string => join(folder, 'data');

/** A broker that is configured and formatted, and not started. */
export async function prepareBroker(setup: BrokerSetup): Promise<EmbeddedBroker> {
  const { runtime, config, clusterId, advertised, direct } = setup;
  const { nodeId } = config;
  const guardian = await startGuardian();
  const temporary = setup.folder === undefined;
  const folder = setup.folder ?? (await guardian.temporaryFolder(`outbound-kafka-${nodeId}-`));
  const logDir = logDirIn(folder);
  const logFile = join(folder, 'kafka.log');
  const settingsFile = join(folder, 'server.properties');
  await mkdir(join(folder, 'tmp'), { recursive: true });
  await formatLogDir(logDir, {
    nodeId,
    clusterId,
    bootstrapCheckpoint: runtime.bootstrapCheckpoint,
  });
  await writeFile(settingsFile, propertiesText(brokerProperties({ ...config, logDir })));

  const run = async (): Promise<ServerProcess> => {
    const server = await launch({
      what: `Kafka node ${nodeId}`,
      command: [
        runtime.java,
        `-Xmx${setup.heapMb}m`,
        ...(setup.jvm === 'quick' ? quickStart : ['-XX:+UseG1GC']),
        ...runtime.archive,
        ...tidyJvm(join(folder, 'tmp')),
        `-Dlog4j2.configurationFile=${runtime.brokerLogging}`,
        '-cp',
        runtime.classPath,
        'kafka.Kafka',
        settingsFile,
      ],
      cwd: folder,
      env: { PATH: process.env['PATH'], TZ: 'UTC' },
      logFile,
      guardian,
      lastSignal: 'TERM',
      graceSeconds: temporary ? 0 : 20,
    });
    await server.untilReady(async () => {
      const view = await clusterView(direct);
      return view.clusterId === clusterId && view.aliveNodes.includes(nodeId);
    }, startTimeoutMs);
    return server;
  };
  const server = restartable(`Kafka node ${nodeId}`, run);
  return {
    nodeId,
    address: endpointText(advertised),
    directAddress: endpointText(direct),
    direct,
    logFile,
    get pid() {
      return server.process().pid;
    },
    isRunning: server.isRunning,
    start: server.start,
    kill: server.kill,
    pause: server.pause,
    resume: server.resume,
    stop: async ({ timeoutMs = 60_000 } = {}) => server.process().end('SIGTERM', timeoutMs),
    close: once(async () => {
      server.retire();
      if (server.isRunning()) {
        if (temporary) await server.kill();
        else {
          await server.resume();
          await server.process().end('SIGTERM', 20_000).catch(server.kill);
        }
      }
      if (temporary) await rm(folder, { recursive: true, force: true });
      await guardian.leave();
    }),
  };
}
