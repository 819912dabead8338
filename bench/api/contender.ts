import { ServiceProcess } from '../../test/support/service-process.ts';
import type { TestPipeline } from '../../test/support/test-pipeline.ts';
import { urlAs } from '../../test/support/test-stack.ts';
import { withoutOutbox } from './bundle-without-outbox.ts';

/** A way from a request to a committed row, with one process that answers. */
export interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** The built API, with or without its outbox. */
export async function startBuiltApi(
  pipeline: TestPipeline,
  name: string,
  entry: string = 'services/catalog-api/dist/main.js',
): Promise<Contender> {
  const api = new ServiceProcess(entry, {
    CATALOG_API_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_api'),
    CATALOG_API_PORT: '0',
    CATALOG_API_ADMIN_PORT: '0',
    CATALOG_API_STOP_GRACE_MS: '0',
    CATALOG_API_AUTH: 'off',
  });
  const { port } = await api.log('listening', (line) => typeof line['adminPort'] === 'number');
  return { name, pid: api.pid, port: Number(port), stop: () => api[Symbol.asyncDispose]() };
}

export function startWithoutOutbox(pipeline: TestPipeline): Promise<Contender> {
  return startBuiltApi(pipeline, 'without an outbox', withoutOutbox);
}

/** Commit, then send (`bench/old-path`). */
export async function startOldPath(pipeline: TestPipeline): Promise<Contender> {
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
  return {
    name: 'old path',
    pid: server.pid,
    port: Number(port),
    stop: () => server[Symbol.asyncDispose](),
  };
}
