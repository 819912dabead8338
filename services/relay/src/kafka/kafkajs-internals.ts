import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { RelayError } from '../errors.ts';
import { openBrokerSocket, splitAddress, type SocketOptions } from './broker-socket.ts';
import { errorFromKafkajs } from './kafka-errors.ts';
import { produceVersion } from './produce-request.ts';

/**
 * The one file that reaches into kafkajs. Of it the relay takes what a library does best: connections, TLS, SASL, the
 * versions handshake, and the encoding of the requests below. Its producer is not used: it numbers, retries and reports per
 * broker, and what we promise is per partition (traps 3.1-1, 2, 4, 7 and 10c; see DESIGN.md).
 */
const provenVersion = '2.2.4';

/** A request as kafkajs' connection takes it. */
interface Protocol<Answer> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<Answer>;
    readonly parse: (answer: Answer) => Promise<Answer>;
  };
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  /** Until when the broker wants nothing of us, as `Date.now()` tells it. */
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

interface Connection {
  readonly socket?: Socket;
  readonly requestQueue: RequestQueue;
  isConnected(): boolean;
  send<Answer>(protocol: Protocol<Answer>): Promise<Answer>;
  rejectRequests(error: Error): void;
  disconnect(): Promise<unknown>;
}

interface Broker {
  readonly connectionPool: { readonly pool: readonly [Connection, ...Connection[]] };
  readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>>;
  connect(): Promise<void>;
}

type Versioned = {
  protocol(options: { version: number }): (args: object) => Protocol<unknown>;
};

interface Kafkajs {
  readonly Broker: new (options: object) => Broker;
  readonly ConnectionPool: new (options: object) => Broker['connectionPool'];
  readonly ConnectionClosed: new (message: string) => Error;
  readonly requests: Readonly<Record<RequestName, Versioned>>;
}

/** The requests that kafkajs encodes for us, with the version we speak; all are known to Kafka 2.4 to 4.x. */
const requestVersions = {
  Metadata: 6,
  ListOffsets: 3,
  Fetch: 11,
  GroupCoordinator: 2,
  InitProducerId: 1,
  DescribeConfigs: 2,
  CreateTopics: 3,
} as const;
type RequestName = keyof typeof requestVersions;

let loaded: Kafkajs | undefined;

/**
 * Loads kafkajs' inner modules.
 * @throws RelayError INVARIANT_BROKEN if another version is installed: what is relied on here is not its public interface.
 */
export function loadKafkajs(
  load: (path: string) => unknown = createRequire(import.meta.url),
): Kafkajs {
  if (loaded) return loaded;
  const { version } = load('kafkajs/package.json') as { version: string };
  if (version !== provenVersion)
    throw new RelayError(
      'INVARIANT_BROKEN',
      `kafkajs is ${version}, and this relay relies on the insides of ${provenVersion}: install the version of the lock file`,
    );
  loaded = {
    Broker: load('kafkajs/src/broker') as Kafkajs['Broker'],
    ConnectionPool: load('kafkajs/src/network/connectionPool') as Kafkajs['ConnectionPool'],
    ConnectionClosed: (
      load('kafkajs/src/errors') as { KafkaJSConnectionClosedError: Kafkajs['ConnectionClosed'] }
    ).KafkaJSConnectionClosedError,
    requests: (load('kafkajs/src/protocol/requests') as Pick<Kafkajs, 'requests'>).requests,
  };
  return loaded;
}

/**
 * Stops kafkajs' timer that wakes up every millisecond for ever (trap 3.2-10): nothing is scheduled while nothing waits.
 * What waits (a throttled broker) is still looked after.
 */
export function quietQueue(queue: RequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

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
    return (await this.#call({
      request,
      response: { decode: response.decode, parse: (answer) => Promise.resolve(answer) },
    })) as Answer;
  }

  /** As `ask`, with a body that is encoded already. `clientSideThrottleTime` of the answer holds the connection back, as Kafka wants it. */
  async askEncoded<Answer extends { readonly clientSideThrottleTime: number }>(
    api: { readonly name: string; readonly key: number; readonly version: number },
    body: Buffer,
    decode: (payload: Buffer) => Answer,
  ): Promise<Answer> {
    return this.#call({
      request: {
        apiKey: api.key,
        apiVersion: api.version,
        apiName: api.name,
        encode: () => Promise.resolve({ buf: body, buffer: body }),
      },
      response: {
        decode: (payload) => Promise.resolve(decode(payload)),
        parse: (answer) => Promise.resolve(answer),
      },
    });
  }

  /** Ends the connection at once; what is in flight is rejected, and may be carried out all the same. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #call<Answer>(protocol: Protocol<Answer>): Promise<Answer> {
    let connection: Connection | undefined;
    try {
      connection = await this.#connected();
      // A broker that moves no byte for this long is not waited for (trap 10d). An idle connection may be silent for ever.
      this.#pending += 1;
      const throttledMs = Math.max(0, connection.requestQueue.throttledUntil - Date.now());
      connection.socket?.setTimeout(this.#settings.silenceLimitMs + throttledMs);
      const answer = await this.#unlessDropped(connection.send(protocol));
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

/** The logger that kafkajs is given. Only messages and the broker's name pass: its other fields hold whole requests and answers, payloads included. */
export function kafkajsLogger(log: KafkaLog) {
  const forward = (message: unknown, extra?: { broker?: unknown }) =>
    log.warn({ component: 'kafkajs', broker: extra?.broker }, String(message));
  const ignore = () => undefined;
  const logger = {
    namespace: () => logger,
    debug: ignore,
    info: ignore,
    warn: forward,
    error: forward,
  };
  return logger;
}
