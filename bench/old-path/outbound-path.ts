import { ServiceProcess } from '../../test/support/service-process.ts';
import type { TestPipeline } from '../../test/support/test-pipeline.ts';

/** A way from the API to Kafka, with its processes. */
export interface OutboundPath {
  readonly name: string;
  readonly url: () => string;
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
  let current = await start();
  return {
    name: 'commit, then send',
    url: () => current.url,
    crash: async () => {
      await current.server.kill();
      current = await start();
    },
    settle: async () => {
      await current.server.terminate();
    },
  };
}

/** Row and event in one transaction, the relay behind it. */
export async function startNewPath(pipeline: TestPipeline): Promise<OutboundPath> {
  let relay = await pipeline.startRelay();
  let { api, url } = await pipeline.startApi();
  return {
    name: 'outbox and relay',
    url: () => url,
    crash: async () => {
      await Promise.all([relay.kill(), api.kill()]);
      // Not waited for: with Kafka down it does not stream, and the API has to be up all the same.
      relay = pipeline.launchRelay();
      ({ api, url } = await pipeline.startApi());
    },
    settle: async () => {
      await relay.reached('streaming', { timeoutMs: 60_000 });
      await pipeline.caughtUp();
    },
  };
}
