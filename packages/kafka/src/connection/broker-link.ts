import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import { errorFromKafkajs } from '../kafka-errors.ts';
import { ByteCursor } from '../wire/byte-cursor.ts';
import { commonVersion } from './api-version.ts';
import { Calls, type Call } from './calls.ts';
import { openBrokerSocket, splitAddress, type SocketOptions } from './broker-socket.ts';
import {
  guardFrames,
  kafkajsApis,
  kafkajsLogger,
  loadKafkajs,
  quietQueue,
  sendEncoded,
  steadyThrottle,
  type Broker,
  type Connection,
  type RequestName,
} from './kafkajs-internals.ts';
import { notAnAnswer } from './not-an-answer.ts';
import type { OwnApi } from './own-api.ts';
import { SaslLogin } from './sasl-login.ts';

/** A connection that is ready for requests. */
interface OpenConnection {
  readonly connection: Connection;
  readonly versions: Broker['versions'];
  readonly login: SaslLogin | undefined;
}

/** How a request is asked. */
export interface AskOptions {
  /** For how long the broker itself may hold the answer back, by its protocol: added to the silence limit. */
  readonly heldBackMs?: number;
  /**
   * An answer that is larger is taken for none; default 100 MiB, as large as a request may be by a broker's default.
   */
  readonly maxAnswerBytes?: number;
}

const defaultAnswerBytes = 100 * 1024 * 1024;
/** Of what is answered before the first request: versions, and a login. */
const handshakeBytes = 1024 * 1024;

/** One connection to one broker, made when it is first needed, and made anew after any failure. */
export class BrokerLink {
  readonly address: string;
  /** When the last call failed, on the monotonic clock; undefined after a call that was answered. */
  failedAtMs: number | undefined;
  readonly #settings: KafkaConnection;
  readonly #log: KafkaLog;
  #open: Promise<OpenConnection> | undefined;
  #connection: Connection | undefined;
  /** Rejections of the calls that are out on the current connection. */
  #waiting = new Set<(reason: Error) => void>();
  #calls = new Calls();
  /** When each call that is out began, also those that wait for the connection. */
  readonly #began = new Set<{ readonly atMs: number }>();
  #isConnecting = false;
  #isClosed = false;

  constructor(address: string, settings: KafkaConnection, log: KafkaLog) {
    this.address = address;
    this.#settings = settings;
    this.#log = log;
  }

  /** Since when the oldest call is out, on the monotonic clock; undefined: none is. */
  get unansweredSinceMs(): number | undefined {
    const [oldest] = this.#began;
    return oldest?.atMs;
  }

  /**
   * Asks the broker with a request that kafkajs encodes, and gives the decoded answer with all its error codes in it:
   * kafkajs' own reading throws at the first, so that one bad partition would hide the others.
   * @throws KafkaError KAFKA_UNAVAILABLE if there was no answer: it may have been carried out all the same.
   * KAFKA_AUTH_FAILED, KAFKA_UNSUPPORTED.
   */
  async ask<Answer>(name: RequestName, args: object, options?: AskOptions): Promise<Answer> {
    const { requests } = loadKafkajs();
    const { key, versions } = kafkajsApis[name];
    return this.#call(options, async ({ connection, versions: theirs }) => {
      const version = commonVersion({ name, versions }, theirs[key], this.address);
      const { request, response } = requests[name].protocol({ version })(args);
      return (await connection.send({
        request,
        response: {
          decode: async (payload) =>
            response.decode(payload).catch((cause: unknown) => {
              throw notAnAnswer(cause, this.address, `${name} ${version}`);
            }),
          parse: (answer) => Promise.resolve(answer),
        },
      })) as Answer;
    });
  }

  /** As `ask`, with a request that we encode. */
  async request<Request, Answer extends { readonly throttleMs: number }>(
    api: OwnApi<Request, Answer>,
    request: Request,
    options?: AskOptions,
  ): Promise<Answer> {
    const { name, key, flexibleFrom } = api;
    return this.#call(options, async ({ connection, versions }) => {
      const version = commonVersion(api, versions[key], this.address);
      const isFlexible = version >= flexibleFrom;
      return sendEncoded(
        connection,
        { name, key, version, isFlexible },
        api.encode(request, version),
        (payload) => {
          try {
            const cursor = new ByteCursor(payload);
            if (isFlexible) cursor.skipTags();
            return api.decode(cursor, version);
          } catch (cause) {
            throw notAnAnswer(cause, this.address, `${name} ${version}`);
          }
        },
      );
    });
  }

  /** Ends the connection at once; what is in flight is rejected, and may be carried out all the same. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #call<Answer>(
    { heldBackMs = 0, maxAnswerBytes = defaultAnswerBytes }: AskOptions = {},
    send: (open: OpenConnection) => Promise<Answer>,
  ): Promise<Answer> {
    let connection: Connection | undefined;
    let call: Call | undefined;
    const began = { atMs: performance.now() };
    this.#began.add(began);
    try {
      const open = await this.#connected();
      ({ connection } = open);
      // A broker that moves no byte for this long is not waited for (trap 10d). An idle connection may be silent for
      // ever.
      const silenceMs = this.#settings.silenceLimitMs + heldBackMs;
      call = { sinceMs: performance.now(), silenceMs, maxAnswerBytes };
      this.#refuseSilence(call.sinceMs);
      this.#calls.begin(call);
      this.#watch(connection);
      // Under the same limit: a broker that is silent in a login is as silent as any.
      const renewal = open.login?.renewal();
      if (renewal) await this.#unlessDropped(renewal);
      const answer = await this.#unlessDropped(send(open));
      this.failedAtMs = undefined;
      return answer;
    } catch (thrown) {
      this.failedAtMs = performance.now();
      const error = errorFromKafkajs(thrown, this.address);
      const isLost = error instanceof KafkaError && lostConnection.has(error.code);
      // Another call may have made a new connection already: that one is not to be dropped.
      if (isLost && connection && connection === this.#connection) this.#drop();
      throw error;
    } finally {
      this.#began.delete(began);
      if (call && connection && connection === this.#connection) {
        this.#calls.end(call);
        this.#watch(connection);
      }
    }
  }

  /** The socket's own timer, for the call that may take longest. */
  #watch({ requestQueue, socket }: Connection): void {
    const nowMs = performance.now();
    const throttledMs = requestQueue.throttledUntil - Date.now();
    if (throttledMs > 0) this.#calls.muted(nowMs + throttledMs);
    socket?.setTimeout(this.#calls.limitMs(nowMs));
  }

  /** The socket's timer begins anew with each request that is written, so whoever asks often would never hear it. */
  #refuseSilence(nowMs: number): void {
    const limitMs = this.#calls.passedLimitMs(nowMs);
    if (limitMs !== undefined)
      throw new KafkaError(
        'KAFKA_UNAVAILABLE',
        `broker ${this.address}: no byte for ${limitMs} ms, with an answer due`,
      );
  }

  /**
   * The work's outcome, or a rejection as soon as the connection is given up: a request that kafkajs takes while it
   * disconnects is never answered and never rejected.
   */
  async #unlessDropped<Outcome>(work: Promise<Outcome>): Promise<Outcome> {
    const waiting = this.#waiting;
    return new Promise<Outcome>((resolve, reject) => {
      waiting.add(reject);
      work.then(resolve, reject).finally(() => waiting.delete(reject));
    });
  }

  async #connected(): Promise<OpenConnection> {
    if (this.#connection && !this.#isConnecting && !this.#connection.isConnected()) this.#drop();
    const open = (this.#open ??= this.#connect());
    try {
      return await open;
    } catch (thrown) {
      if (open === this.#open) this.#drop();
      throw thrown;
    }
  }

  async #connect(): Promise<OpenConnection> {
    if (this.#isClosed)
      throw new KafkaError('KAFKA_UNAVAILABLE', `broker ${this.address}: this session is closed`);
    const { Broker, ConnectionPool } = loadKafkajs();
    const { clientId, tls, sasl, connectTimeoutMs, silenceLimitMs } = this.#settings;
    const [host, port] = splitAddress(this.address);
    const logger = kafkajsLogger(this.#log);
    const connectionPool = new ConnectionPool({
      host,
      port,
      clientId,
      logger,
      ssl: (typeof tls === 'function' ? tls() : tls) ?? null,
      // The login is ours: see `SaslLogin`.
      sasl: null,
      connectionTimeout: connectTimeoutMs,
      requestTimeout: connectTimeoutMs,
      // kafkajs looks at the wall clock ten times a second for this, idle or not; the socket's own timer does it
      // better.
      enforceRequestTimeout: false,
      socketFactory: (options: SocketOptions) => openBrokerSocket(options, silenceLimitMs),
    });
    const broker = new Broker({ connectionPool, logger, allowAutoTopicCreation: false });
    const [connection] = connectionPool.pool;
    quietQueue(connection.requestQueue);
    steadyThrottle(connection.requestQueue);
    guardFrames(
      connection,
      () => Math.max(handshakeBytes, this.#calls.maxAnswerBytes ?? 0),
      (what) => {
        if (connection === this.#connection)
          this.#drop(
            new KafkaError(
              'KAFKA_UNAVAILABLE',
              `broker ${this.address} has sent no Kafka: ${what}`,
            ),
          );
      },
    );
    this.#connection = connection;
    this.#isConnecting = true;
    let login: SaslLogin | undefined;
    try {
      await this.#unlessDropped(broker.connect()).catch((thrown: unknown) => {
        throw notAnAnswer(thrown, this.address, 'ApiVersions');
      });
      if (sasl) {
        login = new SaslLogin(this.address, sasl, { connection, versions: broker.versions });
        await this.#unlessDropped(login.begin());
      }
    } finally {
      this.#isConnecting = false;
    }
    const calls = this.#calls;
    connection.socket?.on('data', () => calls.read(performance.now()));
    connection.socket?.setTimeout(0);
    return { connection, versions: broker.versions, login };
  }

  /** @param why default: we give it up */
  #drop(why?: Error): void {
    const connection = this.#connection;
    const waiting = this.#waiting;
    this.#open = undefined;
    this.#connection = undefined;
    this.#waiting = new Set();
    this.#calls = new Calls();
    if (!connection) return;
    const { ConnectionClosed } = loadKafkajs();
    const reason = why ?? new ConnectionClosed('connection given up');
    for (const reject of waiting) reject(reason);
    connection.rejectRequests(reason);
    connection.socket?.destroy();
    // Nothing is pending any more, so this only sets kafkajs' state; it must not be awaited by a caller that wants to
    // go on.
    connection.disconnect().catch((error: unknown) => {
      this.#log.warn({ broker: this.address, error: String(error) }, 'closing failed');
    });
  }
}

/** After these the connection is of no more use. */
const lostConnection: ReadonlySet<string> = new Set(['KAFKA_UNAVAILABLE', 'KAFKA_AUTH_FAILED']);
