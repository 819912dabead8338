import type { KafkaConnection } from '@outbound/service-kit';
import { errorFromLogin } from '../kafka-errors.ts';
import { commonVersion } from './api-version.ts';
import { splitAddress } from './broker-socket.ts';
import { kafkajsLogger, loadKafkajs, type Broker, type Connection } from './kafkajs-internals.ts';
import { notAnAnswer } from './not-an-answer.ts';

const saslAuthenticate = { name: 'SaslAuthenticate', key: 36, versions: [1, 0] } as const;
/** What fails is thrown, in better words. */
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * The login on one connection, and its renewal. kafkajs would renew by itself, but ten seconds before the end
 * whatever the lifetime, and not for requests that we encode; so its connection knows of no SASL, and the exchange is
 * carried out from here.
 */
export class SaslLogin {
  readonly #address: string;
  readonly #sasl: NonNullable<KafkaConnection['sasl']>;
  readonly #connection: Connection;
  readonly #versions: Broker['versions'];
  #renewAtMs = Infinity;
  #renewing: Promise<void> | undefined;

  constructor(
    address: string,
    sasl: NonNullable<KafkaConnection['sasl']>,
    { connection, versions }: { connection: Connection; versions: Broker['versions'] },
  ) {
    this.#address = address;
    this.#sasl = sasl;
    this.#connection = connection;
    this.#versions = versions;
  }

  /**
   * Logs in. @throws KafkaError KAFKA_AUTH_FAILED if the broker refuses us, or cannot prove itself; KAFKA_UNAVAILABLE
   * if it closes the connection or falls silent meanwhile, as one does that is being restarted; KAFKA_UNSUPPORTED.
   */
  async begin(): Promise<void> {
    const { Authenticator } = loadKafkajs();
    commonVersion(saslAuthenticate, this.#versions[saslAuthenticate.key], this.#address);
    let failedBy: unknown;
    const [host, port] = splitAddress(this.#address);
    const { password } = this.#sasl;
    const exchange = new Authenticator(
      {
        host,
        port,
        // A copy: kafkajs writes its authenticator into this object.
        sasl: { ...this.#sasl, password: typeof password === 'function' ? password() : password },
        send: async (protocol: Parameters<Connection['send']>[0]) =>
          this.#connection.send(protocol).catch((thrown: unknown) => {
            failedBy = notAnAnswer(thrown, this.#address, protocol.request.apiName);
            throw thrown;
          }),
      },
      kafkajsLogger(silent),
      this.#versions,
      true,
    );
    const beganMs = performance.now();
    try {
      await exchange.authenticate();
    } catch (thrown) {
      throw notAnAnswer(errorFromLogin(thrown, failedBy, this.#address), this.#address, 'a login');
    }
    const lifetimeMs = Number(exchange.sessionLifetime);
    this.#renewAtMs = lifetimeMs > 0 ? beganMs + renewAfterMs(lifetimeMs, Math.random()) : Infinity;
  }

  /**
   * Call before each request: renews the login first when its end is near (KIP-368: the broker closes a connection at
   * the first request after the end). Requests that were sent before are answered before it; the others have to wait,
   * as in the midst of an exchange a broker takes nothing else. Undefined: go on at once. Rejects as `begin` does;
   * the connection is of no more use then.
   */
  renewal(): Promise<void> | undefined {
    if (this.#renewing === undefined && performance.now() >= this.#renewAtMs)
      this.#renewing = this.begin().finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }
}

/**
 * When a login of this lifetime is renewed: between 85 and 95 %, as Java's client does, so that the connections of
 * many clients do not do it together.
 */
export function renewAfterMs(lifetimeMs: number, random: number): number {
  return lifetimeMs * (0.85 + 0.1 * random);
}
