/** Ports of one node: for clients, for the other brokers and tools, and for the controllers. */
export interface NodePorts {
  readonly client: number;
  readonly broker: number;
  readonly controller: number;
}

export interface NodeConfig {
  readonly nodeId: number;
  readonly ports: ReadonlyMap<number, NodePorts>;
  /** What clients are told; its own client port unless a proxy stands there. */
  readonly advertised: { readonly host: string; readonly port: number };
  readonly logDir: string;
  readonly settings: Readonly<Record<string, string>>;
}

export const host = '127.0.0.1';

/**
 * Properties of one node of a cluster of one or three. Clients have a listener of their own, so that a proxy before it never stands between the brokers.
 * Replication 3 with min ISR 2 where there are three brokers. Kept small for a laptop: few internal partitions, a small cleaner buffer (the default is 128 MiB of heap).
 */
export function brokerProperties(config: NodeConfig): Record<string, string> {
  const { nodeId, ports, advertised, logDir, settings } = config;
  const own = ports.get(nodeId);
  if (!own) throw new TypeError(`node ${nodeId} has no ports`);
  const replicas = String(ports.size);
  const minIsr = ports.size === 1 ? '1' : '2';
  const voters = [...ports].map(([id, { controller }]) => `${id}@${host}:${controller}`);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(nodeId),
    'controller.quorum.voters': voters.join(','),
    listeners: `CLIENT://${host}:${own.client},BROKER://${host}:${own.broker},CONTROLLER://${host}:${own.controller}`,
    'advertised.listeners': `CLIENT://${advertised.host}:${advertised.port},BROKER://${host}:${own.broker}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
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
