import type { Listener } from '../../broker-properties.ts';
import type { Endpoint } from '../../kafka-cluster.ts';

/** Ports of one node: for clients, for the other brokers and tools, and for the controllers. */
export interface NodePorts {
  readonly client: number;
  readonly broker: number;
  readonly controller: number;
}

/** Reachable from this machine only. */
export const local = (port: number): Endpoint => ({ host: '127.0.0.1', port });

/** The listeners of a node that runs as a process here. @param advertised what clients are told, where that is a proxy. */
export function localListeners(
  ports: NodePorts,
  advertised: Endpoint = local(ports.client),
): { listeners: Listener[]; voter: Endpoint } {
  const voter = local(ports.controller);
  const broker = local(ports.broker);
  return {
    voter,
    listeners: [
      { name: 'CLIENT', bind: local(ports.client), advertised },
      { name: 'BROKER', bind: broker, advertised: broker },
      { name: 'CONTROLLER', bind: voter },
    ],
  };
}
