import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { ProductStore, type Change, type Outcome, type ProductInput } from './product-store.ts';

/**
 * The outbound path that this project replaces, kept only to be compared with: the same product resource, but the request commits and
 * then sends the event itself, with the client library's own defaults (acks from all replicas, no idempotence, five retries).
 * When the send fails the change is committed and the caller is told 503; when the process dies in between nobody is told.
 */
interface Settings {
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  readonly topics: readonly string[];
}

function settingsFromEnvironment(): Settings {
  const setting = (name: string): string => {
    const value = process.env[name];
    if (value === undefined || value === '') throw new Error(`${name} is not set`);
    return value;
  };
  return {
    databaseUrl: setting('OLD_PATH_DATABASE_URL'),
    brokers: setting('OLD_PATH_KAFKA_BROKERS').split(','),
    topics: setting('OLD_PATH_TOPICS').split(','),
  };
}

async function send(
  producer: Producer,
  topics: readonly string[],
  { id, value, headers }: Change,
): Promise<void> {
  const messages = [{ key: id, value, headers: { ...headers } }];
  await producer.sendBatch({
    acks: -1,
    topicMessages: topics.map((topic) => ({ topic, messages })),
  });
}

async function bodyOf(request: IncomingMessage): Promise<ProductInput> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as ProductInput;
}

const etagOf = (version: number): Record<string, string> => ({ etag: `"${version}"` });

function answer(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, headers).end();
}

const { databaseUrl, brokers, topics } = settingsFromEnvironment();
const store = new ProductStore(databaseUrl);
const producer = new Kafka({
  clientId: 'old-path',
  brokers: [...brokers],
  logLevel: logLevel.NOTHING,
}).producer({ allowAutoTopicCreation: false });
// Not waited for: a service that starts without Kafka is what a team wants, and each send connects again.
producer.connect().catch(() => undefined);

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, resource, id] = (request.url ?? '').split('/');
  if (resource !== 'products') return answer(response, 404);
  let outcome: Outcome;
  if (request.method === 'POST' && id === undefined) {
    outcome = await store.create(await bodyOf(request));
  } else if (request.method === 'PATCH' && id !== undefined) {
    const expected = /^"(\d+)"$/.exec(request.headers['if-match'] ?? '')?.[1];
    if (expected === undefined) return answer(response, 428);
    outcome = await store.patch(id, Number(expected), await bodyOf(request));
  } else if (request.method === 'GET' && id !== undefined) {
    const version = await store.version(id);
    return version === undefined ? answer(response, 404) : answer(response, 200, etagOf(version));
  } else {
    return answer(response, 405);
  }
  switch (outcome.kind) {
    case 'stale':
      return answer(response, 412);
    case 'taken':
      return answer(response, 409);
    case 'unknown':
      return answer(response, 404);
    case 'unchanged':
      return answer(response, 200, etagOf(outcome.version));
    case 'changed':
      // Here is the whole trouble: the change is committed, and the event is not sent yet.
      await send(producer, topics, outcome.change);
      return answer(response, request.method === 'POST' ? 201 : 200, {
        ...etagOf(outcome.change.version),
        location: `/products/${outcome.change.id}`,
      });
  }
}

const running = new Set<Promise<void>>();
const server = createServer((request, response) => {
  const work = handle(request, response)
    .catch(() => answer(response, 503))
    .finally(() => running.delete(work));
  running.add(work);
});
// In the old path's favour: a polite stop waits for every send that is still being tried.
process.once('SIGTERM', () => {
  server.close();
  Promise.allSettled(running)
    .then(() => producer.disconnect())
    .then(() => store.close())
    .then(
      () => process.exit(0),
      () => process.exit(1),
    );
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
process.stdout.write(`${JSON.stringify({ message: 'listening', component: 'http', port })}\n`);
