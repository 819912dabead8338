import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { RelayError } from '../errors.ts';
import { openBrokerSocket, splitAddress, type SocketOptions } from './broker-socket.ts';
import { errorFromKafkajs } from './kafka-errors.ts';
import {
  kafkajsLogger,
  loadKafkajs,
  quietQueue,
  requestVersions,
  sendEncoded,
  type Broker,
  type Connection,
  type EncodedApi,
  type RequestName,
} from './kafkajs-internals.ts';
import { produceVersion } from './produce-request.ts';

/** One connection to one broker, made when it is first needed, and made anew after any failure. */
export class BrokerLink {
  readonly address: string;
  /** When the last call failed, on the monotonic clock; undefined after a call that was answered. */
  failedAtMs: number | undefined;
  readonly #settings: KafkaConnection;
  readonly #log: KafkaLog;
  #open: Promise<Broker> | undefined;
  #connection: Connection | undefined;
  /** Rejections of the calls that are out on the current connection. */
  #waiting = new Set<(reason: Error) => void>();
  #isConnecting = false;
  #pending = 0;
  #isClosed = false;

  constructor(address: string, settings: KafkaConnection, log: KafkaLog) {
    this.address = address;
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * Asks the broker with a request that kafkajs encodes, and gives the decoded answer with all its error codes in it:
   * kafkajs' own reading throws at the first, so that one bad partition would hide the others.
   * @throws RelayError SINK_UNAVAILABLE if there was no answer: it may have been carried out all the same. SINK_AUTH_FAILED.
   */
  async ask<Answer>(name: RequestName, args: object): Promise<Answer> {
    const { requests } = loadKafkajs();
    const { request, response } = requests[name].protocol({ version: requestVersions[name] })(args);
    return (await this.#call((connection) =>
      connection.send({
        request,
        response: { decode: response.decode, parse: (answer) => Promise.resolve(answer) },
      }),
    )) as Answer;
  }

  /** As `ask`, with a body that is encoded already. `clientSideThrottleTime` of the answer holds the connection back, as Kafka wants it. */
  async askEncoded<Answer extends { readonly clientSideThrottleTime: number }>(
    api: EncodedApi,
    body: Buffer,
    decode: (payload: Buffer) => Answer,
  ): Promise<Answer> {
    return this.#call((connection) => sendEncoded(connection, api, body, decode));
  }

  /** Ends the connection at once; what is in flight is rejected, and may be carried out all the same. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #call<Answer>(send: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    let connection: Connection | undefined;
    try {
      connection = await this.#connected();
      // A broker that moves no byte for this long is not waited for (trap 10d). An idle connection may be silent for ever.
      this.#pending += 1;
      const throttledMs = Math.max(0, connection.requestQueue.throttledUntil - Date.now());
      connection.socket?.setTimeout(this.#settings.silenceLimitMs + throttledMs);
      const answer = await this.#unlessDropped(send(connection));
      this.failedAtMs = undefined;
      return answer;
    } catch (thrown) {
      this.failedAtMs = performance.now();
      const error = errorFromKafkajs(thrown, this.address);
      const isLost = error instanceof RelayError && error.code === 'SINK_UNAVAILABLE';
      // Another call may have made a new connection already: that one is not to be dropped.
      if (isLost && connection && connection === this.#connection) this.#drop();
      throw error;
    } finally {
      if (connection && connection === this.#connection) {
        this.#pending -= 1;
        if (this.#pending === 0) connection.socket?.setTimeout(0);
      }
    }
  }

  /**
   * The work's outcome, or a rejection as soon as the connection is given up: a request that kafkajs takes while it disconnects is
   * never answered and never rejected.
   */
  async #unlessDropped<Outcome>(work: Promise<Outcome>): Promise<Outcome> {
    const waiting = this.#waiting;
    return new Promise<Outcome>((resolve, reject) => {
      waiting.add(reject);
      work.then(resolve, reject).finally(() => waiting.delete(reject));
    });
  }

  async #connected(): Promise<Connection> {
    if (this.#connection && !this.#isConnecting && !this.#connection.isConnected()) this.#drop();
    const open = (this.#open ??= this.#connect());
    try {
      const broker = await open;
      return broker.connectionPool.pool[0];
    } catch (thrown) {
      if (open === this.#open) this.#drop();
      throw thrown;
    }
  }

  async #connect(): Promise<Broker> {
    if (this.#isClosed)
      throw new RelayError('SINK_UNAVAILABLE', `broker ${this.address}: this session is closed`);
    const { Broker, ConnectionPool } = loadKafkajs();
    const { clientId, tls: ssl, sasl, connectTimeoutMs, silenceLimitMs } = this.#settings;
    const [host, port] = splitAddress(this.address);
    const logger = kafkajsLogger(this.#log);
    const connectionPool = new ConnectionPool({
      host,
      port,
      clientId,
      logger,
      ssl: ssl ?? null,
      // kafkajs writes its authenticator into this object.
      sasl: sasl ? { ...sasl } : null,
      connectionTimeout: connectTimeoutMs,
      requestTimeout: connectTimeoutMs,
      // kafkajs looks at the wall clock ten times a second for this, idle or not; the socket's own timer does it better.
      enforceRequestTimeout: false,
      socketFactory: (options: SocketOptions) => openBrokerSocket(options, silenceLimitMs),
    });
    const broker = new Broker({ connectionPool, logger, allowAutoTopicCreation: false });
    const [connection] = connectionPool.pool;
    quietQueue(connection.requestQueue);
    this.#connection = connection;
    this.#pending = 0;
    this.#isConnecting = true;
    try {
      await this.#unlessDropped(broker.connect());
    } finally {
      this.#isConnecting = false;
    }
    const produce = broker.versions[0];
    if (!produce || produce.minVersion > produceVersion || produce.maxVersion < produceVersion)
      throw new RelayError(
        'SINK_REJECTED',
        `broker ${this.address} takes Produce ${produce?.minVersion ?? '?'} to ${produce?.maxVersion ?? '?'}, and this relay speaks ${produceVersion}: Kafka 2.4 or later is needed`,
      );
    connection.socket?.setTimeout(0);
    return broker;
  }

  #drop(): void {
    const connection = this.#connection;
    const waiting = this.#waiting;
    this.#open = undefined;
    this.#connection = undefined;
    this.#waiting = new Set();
    if (!connection) return;
    const { ConnectionClosed } = loadKafkajs();
    const reason = new ConnectionClosed('connection given up');
    for (const reject of waiting) reject(reason);
    connection.rejectRequests(reason);
    connection.socket?.destroy();
    // Nothing is pending any more, so this only sets kafkajs' state; it must not be awaited by a caller that wants to go on.
    connection.disconnect().catch((error: unknown) => {
      this.#log.warn({ broker: this.address, error: String(error) }, 'closing failed');
    });
  }
}
