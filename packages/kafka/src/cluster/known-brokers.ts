import type { BrokerFacts } from '../apis/metadata-api.ts';

/** `host:port`, an IPv6 address in brackets. */
export function brokerAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The brokers of a cluster, from descriptions each of which may be old. One that a description leaves out is
 * forgotten only when it does not answer itself either: a broker that is cut off from the controller names those of
 * long ago, and its word must not end connections that work. No input or output.
 */
export class KnownBrokers {
  readonly #addresses = new Map<number, string>();
  #named = 0;

  /** How many the last description named. */
  get count(): number {
    return this.#named;
  }

  addressOf(nodeId: number): string | undefined {
    return this.#addresses.get(nodeId);
  }

  addresses(): Iterable<string> {
    return this.#addresses.values();
  }

  /** @param hasFailed is the last that is known of this address that it did not answer? */
  learn(brokers: readonly BrokerFacts[], hasFailed: (address: string) => boolean): void {
    const named = new Map(
      brokers.map(({ nodeId, host, port }) => [nodeId, brokerAddress(host, port)]),
    );
    this.#named = named.size;
    const taken = new Set(named.values());
    for (const [nodeId, address] of this.#addresses)
      if (!named.has(nodeId) && (taken.has(address) || hasFailed(address)))
        this.#addresses.delete(nodeId);
    for (const [nodeId, address] of named) this.#addresses.set(nodeId, address);
  }
}
