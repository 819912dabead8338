import type { KafkaConnection } from '@outbound/service-kit';

/** How the demo's own readers reach the local brokers. */
export function demoConnection(brokers: readonly string[], clientId: string): KafkaConnection {
  return {
    brokers,
    clientId,
    tls: undefined,
    sasl: undefined,
    connectTimeoutMs: 10_000,
    silenceLimitMs: 5000,
  };
}
