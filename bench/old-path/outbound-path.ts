import { ServiceProcess } from '../../test/support/service-process.ts';
import type { TestPipeline } from '../../test/support/test-pipeline.ts';

/** Processes of the API in either path: nobody runs one, and with two nothing but the path itself keeps changes in order. */
const apiCount = 2;

/** A way from the API to Kafka, with its processes. */
export interface OutboundPath {
  readonly name: string;
  /** Base URLs of the API's processes as they are now. */
  readonly urls: () => readonly string[];
  /** SIGKILL to every process of the path, and at once a start of each, as a supervisor would. */
  readonly crash: () => Promise<void>;
  /** Resolves when everything that will ever be sent was sent. */
  readonly settle: () => Promise<void>;
}

/** Commit, then send in the request. */
export async function startOldPath(pipeline: TestPipeline): Promise<OutboundPath> {
  const start = async () => {
    const server = new ServiceProcess(
      'bench/old-path/server.ts',
      {
        OLD_PATH_DATABASE_URL: pipeline.databaseUrl,
        OLD_PATH_KAFKA_BROKERS: pipeline.stack.kafka.bootstrap.join(','),
        OLD_PATH_TOPICS: [
          pipeline.topic('catalog.product-change'),
          pipeline.topic('catalog.product'),
        ].join(','),
      },
      ['--import', 'tsx'],
    );
    const { port } = await server.log('listening');
    return { server, url: `http://127.0.0.1:${String(port)}` };
  };
  const startAll = async () => Promise.all(Array.from({ length: apiCount }, start));
  let servers = await startAll();
  return {
    name: 'commit, then send',
    urls: () => servers.map(({ url }) => url),
    crash: async () => {
      await Promise.all(servers.map(({ server }) => server.kill()));
      servers = await startAll();
    },
    settle: async () => {
      await Promise.all(servers.map(({ server }) => server.terminate()));
    },
  };
}

/** Row and event in one transaction, the relay behind it. */
export async function startNewPath(pipeline: TestPipeline): Promise<OutboundPath> {
  let relay = await pipeline.startRelay();
  const startApis = async () =>
    Promise.all(Array.from({ length: apiCount }, () => pipeline.startApi()));
  let apis = await startApis();
  return {
    name: 'outbox and relay',
    urls: () => apis.map(({ url }) => url),
    crash: async () => {
      await Promise.all([relay.kill(), ...apis.map(({ api }) => api.kill())]);
      // Not waited for: with Kafka down it does not stream, and the API has to be up all the same.
      relay = pipeline.launchRelay();
      apis = await startApis();
    },
    settle: async () => {
      await relay.reached('streaming', { timeoutMs: 60_000 });
      await pipeline.caughtUp();
    },
  };
}
