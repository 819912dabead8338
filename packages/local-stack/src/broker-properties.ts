import type { Endpoint } from './kafka-cluster.ts';

/** Where a node listens under a name, and what those who ask for it are told. Controllers are not asked. */
export interface Listener {
  readonly name: 'CLIENT' | 'BROKER' | 'CONTROLLER' | 'DIRECT';
  readonly bind: Endpoint;
  readonly advertised?: Endpoint;
}

export interface NodeConfig {
  readonly nodeId: number;
  /** Controller endpoint of every node, by node id. */
  readonly voters: ReadonlyMap<number, Endpoint>;
  readonly listeners: readonly Listener[];
  readonly logDir: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** `host:port`. */
export const endpointText = ({ host, port }: Endpoint): string => `${host}:${port}`;

/**
 * Properties of one node of a cluster of one or three. Clients have a listener of their own, so that a proxy before it never stands between the brokers.
 * Replication 3 with min ISR 2 where there are three brokers. Kept small for a laptop: few internal partitions, a small cleaner buffer (the default is 128 MiB of heap).
 */
export function brokerProperties(config: NodeConfig): Record<string, string> {
  const { nodeId, voters, listeners, logDir, settings } = config;
  const replicas = String(voters.size);
  const minIsr = voters.size === 1 ? '1' : '2';
  return {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': [...voters]
      .map(([id, endpoint]) => `${id}@${endpointText(endpoint)}`)
      .join(','),
    listeners: listeners.map(({ name, bind }) => `${name}://${endpointText(bind)}`).join(','),
    'advertised.listeners': listeners
      .flatMap(({ name, advertised }) =>
        advertised ? [`${name}://${endpointText(advertised)}`] : [],
      )
      .join(','),
    'listener.security.protocol.map': listeners.map(({ name }) => `${name}:PLAINTEXT`).join(','),
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': logDir,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': minIsr,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minIsr,
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minIsr,
    'share.coordinator.state.topic.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker is taken back only when its old session has run out: 9 s by default.
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '500',
    // A request to change the replicas in sync that went to a controller which hangs holds the next ones back for this long: 30 s by default.
    'controller.socket.timeout.ms': '4000',
    'log.cleaner.dedupe.buffer.size': String(4 * 1024 * 1024),
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...settings,
  };
}

/** The text of a Java properties file. */
export function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
}

/** The environment that the image apache/kafka reads a property from: `.` is `_`, `_` is `__`, `-` is `___`. */
export function environmentName(property: string): string {
  const name = property.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_');
  return `KAFKA_${name.toUpperCase()}`;
}
