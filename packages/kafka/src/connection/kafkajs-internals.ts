import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { KafkaLog } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import { FrameSizes, guessOfSize } from './frame-sizes.ts';
import { requestHeader, type RequestApi } from './request-header.ts';

/**
 * The one file that reaches into kafkajs. Of it we take what a library does best: connections, TLS, SASL, the
 * versions handshake, and the encoding of the requests below. Its producer is not used: it numbers, retries and
 * reports per broker, and what we promise is per partition (traps 3.1-1, 2, 4, 7 and 10c; see DESIGN.md). Its
 * consumer neither: its fetchers and positions cannot be controlled from outside. Nothing of it is changed but
 * objects that we made: another copy of kafkajs in the host's process, or the host's own use of this one, is left
 * alone.
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
  /** What waits for its answer, by correlation id. */
  readonly inflight: ReadonlyMap<number, unknown>;
  scheduleCheckPendingRequests(): void;
  fulfillRequest(answer: { readonly correlationId: number }): void;
  push(item: QueuedRequest): void;
  maybeThrottle(throttleMs: number): void;
}

interface QueuedRequest {
  readonly entry: {
    readonly apiKey: number;
    readonly apiName: string;
    readonly apiVersion: number;
    readonly correlationId: number;
    readonly resolve: (answer: { readonly payload: Buffer }) => void;
    readonly reject: (reason: Error) => void;
  };
  readonly expectResponse: true;
  readonly requestTimeout: null;
  readonly sendRequest: () => void;
}

/** A connection of kafkajs, as far as it is used. */
export interface Connection {
  readonly socket?: Socket;
  readonly requestQueue: RequestQueue;
  readonly clientId: string;
  isConnected(): boolean;
  failIfNotConnected(): void;
  nextCorrelationId(): number;
  send<Answer>(protocol: Protocol<Answer>): Promise<Answer>;
  sendAuthRequest(protocol: object): Promise<unknown>;
  /** Takes what has arrived. */
  processData(chunk: Buffer): void;
  rejectRequests(error: Error): void;
  disconnect(): Promise<unknown>;
}

/** A broker of kafkajs, as far as it is used. */
export interface Broker {
  readonly connectionPool: { readonly pool: readonly [Connection, ...Connection[]] };
  readonly versions: Readonly<Record<number, VersionRange>>;
  connect(): Promise<void>;
}

/** What a broker takes of one kind of request. */
export interface VersionRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** Carries out one SASL exchange over the connection that it was made with. */
interface Authenticator {
  /** After `authenticate`: milliseconds as decimal text; 0 where the broker sets no end. */
  readonly sessionLifetime: string;
  authenticate(): Promise<void>;
}

type Versioned = {
  protocol(options: { version: number }): (args: object) => Protocol<unknown>;
};

interface Kafkajs {
  readonly Broker: new (options: object) => Broker;
  readonly ConnectionPool: new (options: object) => Broker['connectionPool'];
  readonly ConnectionClosed: new (message: string) => Error;
  readonly Authenticator: new (
    connection: object,
    logger: object,
    versions: Broker['versions'],
    supportsSaslAuthenticate: boolean,
  ) => Authenticator;
  readonly requests: Readonly<Record<RequestName, Versioned>>;
}

/** The requests that kafkajs encodes for us: Kafka's number, and the versions in which we use them, the best first. */
export const kafkajsApis = {
  ListOffsets: { key: 2, versions: [3, 2] },
  GroupCoordinator: { key: 10, versions: [2, 1] },
  JoinGroup: { key: 11, versions: [5] },
  Heartbeat: { key: 12, versions: [3] },
  LeaveGroup: { key: 13, versions: [3] },
  SyncGroup: { key: 14, versions: [3] },
  Fetch: { key: 1, versions: [11, 10, 9] },
  DescribeGroups: { key: 15, versions: [2, 1] },
  ListGroups: { key: 16, versions: [2, 1] },
  CreateTopics: { key: 19, versions: [3, 2] },
  DeleteRecords: { key: 21, versions: [1, 0] },
  InitProducerId: { key: 22, versions: [1, 0] },
  DescribeConfigs: { key: 32, versions: [2, 1] },
} as const;
export type RequestName = keyof typeof kafkajsApis;

let loaded: Kafkajs | undefined;

/**
 * Loads kafkajs' inner modules.
 * @throws KafkaError KAFKAJS_VERSION if another version is installed: what is relied on here is not its public
 * interface.
 */
export function loadKafkajs(
  load: (path: string) => unknown = createRequire(import.meta.url),
): Kafkajs {
  if (loaded) return loaded;
  const { version } = load('kafkajs/package.json') as { version: string };
  if (version !== provenVersion)
    throw new KafkaError(
      'KAFKAJS_VERSION',
      `kafkajs is ${version}, and what is relied on here are the insides of ${provenVersion}: install the version of the lock file`,
    );
  loaded = {
    Broker: load('kafkajs/src/broker') as Kafkajs['Broker'],
    ConnectionPool: load('kafkajs/src/network/connectionPool') as Kafkajs['ConnectionPool'],
    ConnectionClosed: (
      load('kafkajs/src/errors') as { KafkaJSConnectionClosedError: Kafkajs['ConnectionClosed'] }
    ).KafkaJSConnectionClosedError,
    Authenticator: load('kafkajs/src/broker/saslAuthenticator') as Kafkajs['Authenticator'],
    requests: (load('kafkajs/src/protocol/requests') as Pick<Kafkajs, 'requests'>).requests,
  };
  return loaded;
}

/**
 * Stops kafkajs' timer that wakes up every millisecond for ever (trap 3.2-10): nothing is scheduled while nothing
 * waits. What waits (a throttled broker) is still looked after.
 */
export function quietQueue(
  queue: Pick<RequestQueue, 'pending' | 'scheduleCheckPendingRequests'>,
): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

/**
 * Counts a throttle on the monotonic clock: kafkajs compares wall clock times, so that a clock which is set back an
 * hour in a throttle of a second would hold the connection back for an hour. Call it before the first request.
 */
export function steadyThrottle(queue: Pick<RequestQueue, 'throttledUntil'>): void {
  let untilMs = -Infinity;
  Object.defineProperty(queue, 'throttledUntil', {
    get: () => Date.now() + Math.max(-1, untilMs - performance.now()),
    set: (wallMs: number) => {
      untilMs = performance.now() + wallMs - Date.now();
    },
  });
}

/**
 * Keeps what is no stream of answers out of kafkajs: it takes bytes as they come from the socket, so that what it
 * throws there ends the process, and waits for ever for the answer to a request where one comes that nobody asked
 * for. Call it before the connection is made.
 * @param maxBytes how large a frame may be now
 * @param onGarbled the connection is of no more use; told once, in words that follow the broker's name. Nothing that
 * comes afterwards is taken.
 */
export function guardFrames(
  connection: Pick<Connection, 'processData'> & {
    readonly requestQueue: Pick<RequestQueue, 'inflight' | 'fulfillRequest'>;
  },
  maxBytes: () => number,
  onGarbled: (what: string) => void,
): void {
  const { requestQueue } = connection;
  const sizes = new FrameSizes();
  const process = connection.processData.bind(connection);
  const fulfill = requestQueue.fulfillRequest.bind(requestQueue);
  let isGarbled = false;
  requestQueue.fulfillRequest = (answer) => {
    if (!requestQueue.inflight.has(answer.correlationId))
      throw new Error(`an answer to request ${answer.correlationId}, which is not waited for`);
    fulfill(answer);
  };
  connection.processData = (chunk) => {
    if (isGarbled) return;
    const size = sizes.take(chunk, maxBytes());
    let what = size === undefined ? undefined : `a frame of ${size} bytes${guessOfSize(size)}`;
    try {
      if (what === undefined) process(chunk);
    } catch (thrown) {
      what = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (what === undefined) return;
    isGarbled = true;
    onGarbled(what);
  };
}

/**
 * As `connection.send`, but a body goes from its own memory to the socket: kafkajs copies it twice, into zero-filled
 * buffers of the next power of two. Everything else is as there: the queue, its time limits, the order of answers,
 * the broker's wish to be left alone.
 */
export async function sendEncoded<Answer extends { readonly throttleMs: number }>(
  connection: Connection,
  api: RequestApi,
  body: Buffer,
  decode: (payload: Buffer) => Answer,
): Promise<Answer> {
  connection.failIfNotConnected();
  const { socket, requestQueue } = connection;
  const correlationId = connection.nextCorrelationId();
  const { payload } = await new Promise<{ readonly payload: Buffer }>((resolve, reject) => {
    requestQueue.push({
      entry: {
        apiKey: api.key,
        apiName: api.name,
        apiVersion: api.version,
        correlationId,
        resolve,
        reject,
      },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => {
        if (!socket) return;
        // Corked, so that header and body leave in one write.
        socket.cork();
        socket.write(
          requestHeader(api, {
            correlationId,
            clientId: connection.clientId,
            bodyBytes: body.length,
          }),
        );
        socket.write(body);
        socket.uncork();
      },
    });
  });
  const answer = decode(payload);
  requestQueue.maybeThrottle(answer.throttleMs);
  return answer;
}

/**
 * The logger that kafkajs is given. Only messages and the broker's name pass: its other fields hold whole requests
 * and answers, payloads included.
 */
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
