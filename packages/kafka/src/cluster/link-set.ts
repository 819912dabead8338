import { KafkaError } from '../kafka-error.ts';
import type { BrokerLink } from '../connection/broker-link.ts';

/**
 * Connections for one purpose, one to a broker: a request that a broker holds back keeps every later one of its
 * connection waiting.
 */
export class LinkSet {
  readonly #newLink: (address: string) => BrokerLink;
  readonly #links = new Map<string, BrokerLink>();
  #isClosed = false;

  constructor(newLink: (address: string) => BrokerLink) {
    this.#newLink = newLink;
  }

  /** The connection to the broker at `host:port`. @throws KafkaError KAFKA_UNAVAILABLE after `close`. */
  to(address: string): BrokerLink {
    if (this.#isClosed)
      throw new KafkaError('KAFKA_UNAVAILABLE', `broker ${address}: this session is closed`);
    let link = this.#links.get(address);
    if (!link) {
      link = this.#newLink(address);
      this.#links.set(address, link);
    }
    return link;
  }

  /** Ends the connections to brokers that are not there any more. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, link] of this.#links) {
      if (addresses.has(address)) continue;
      link.close();
      this.#links.delete(address);
    }
  }

  /** Ends every connection at once, and makes no other: nothing may be sent for a session that is over. */
  close(): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}
