import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMemoryStore, rebuildAndFollow } from '@outbound/consumer';
import { withTopicPrefix } from '@outbound/contract';
import { eventTypes, productChange } from '@outbound/schemas';
import {
  createLogger,
  integerSetting,
  kafkaConnection,
  kafkaSettings,
  readConfig,
  runUntilSignal,
} from '@outbound/service-kit';
import { z } from 'zod';

/** A cache of all products in memory, served by key: built from the compacted topic at each start, ready when it is complete, current from then on. */
const settings = readConfig(
  'CACHE_',
  z.object({
    port: integerSetting({ min: 0, max: 65_535 })
      .default(8090)
      .describe('Port that is listened on'),
    ...kafkaSettings('product-cache'),
  }),
  process.env,
);
const logger = createLogger({ service: 'product-cache', level: 'info' });
const topic = withTopicPrefix(eventTypes, settings.topicPrefix)
  .get(productChange.name)
  ?.routes.find(({ cleanupPolicy }) => cleanupPolicy === 'compact')?.topic;
if (topic === undefined) throw new Error(`${productChange.name} has no compacted topic`);

await runUntilSignal(
  async ({ signal, onClose }) => {
    const store = createMemoryStore();
    let isComplete = false;
    const server = createServer((request, response) => {
      const key = decodeURIComponent(request.url?.slice(1) ?? '');
      const state = store.get(key);
      if (!isComplete) response.writeHead(503).end('the state is not complete yet\n');
      else if (!state) response.writeHead(404).end('there is no such product\n');
      else response.writeHead(200, { 'content-type': 'application/json' }).end(state.value);
    });
    onClose('server', async () => {
      server.close();
      await once(server, 'close');
    });
    await once(server.listen(settings.port, '127.0.0.1'), 'listening');
    logger.info({ port: (server.address() as AddressInfo).port }, 'listening');

    // Resolves on the signal; rejects when nothing is read any more, and then this process ends too.
    await rebuildAndFollow({
      connection: kafkaConnection(settings, { prefix: 'CACHE_', env: process.env }),
      topic,
      eventType: productChange,
      store,
      signal,
      log: logger,
      // Also when the topic was made again, or this process slept for too long: until it has caught up the state is a part.
      onBegin: (plan) => {
        isComplete = false;
        logger.info(plan, 'reading begins');
      },
      onProgress: ({ share, secondsLeft }) =>
        logger.info({ percent: Math.floor(share * 100), secondsLeft }, 'rebuilding'),
      onCaughtUp: ({ recordCount, seconds }) => {
        isComplete = true;
        logger.info({ products: store.size, recordCount, seconds }, 'caught up');
      },
    });
  },
  { logger },
);
