import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { subscribe } from '@outbound/consumer';
import {
  DevelopmentIssuer,
  developmentAudience,
  developmentIssuer,
} from '@outbound/development-issuer';
import { deadLetterTopics } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { createLogger } from '@outbound/service-kit';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { Authority } from './support/authority.ts';
import { findCanaries } from './support/canary-search.ts';
import { eventually } from './support/eventually.ts';
import { connectionTo } from './support/read-topics.ts';
import type { ServiceProcess } from './support/service-process.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { servicePassword, startTestStack, type TestStack } from './support/test-stack.ts';

/*
 * Secrets and payloads are planted wherever a program is given them, everything is made to fail that may, and all that comes out is searched: logs at the level debug, standard error, answers that are problems,
 * health, metrics, and what the command line prints. Not searched: what is asked for by name (an entity's own GET, `tail`, `--payload`), and what an operator takes from a process himself (`node --report`, heap dumps).
 */

const change = 'catalog.product-change';
const key = new Authority().issue({ name: 'canary' }).key;
const canaries = {
  'database password': servicePassword,
  'Kafka password': 'canary-sasl-4b1f9',
  'private key': (key.split('\n')[1] ?? '').slice(0, 40),
  'registry password': 'canary-registry-77ae2',
  'forged token': 'canary-token-0c4d8',
  header: 'canary-header-5e6f7',
  query: 'canary-query-81b2c',
  payload: 'canary-payload-3d9a0',
  'dead payload': 'canary-poison-6f0e1',
};
const outputs = new Map<string, string>();

let stack: TestStack;
let pipeline: TestPipeline;
let folder: string;
beforeAll(async () => {
  stack = await startTestStack();
  pipeline = await TestPipeline.create(stack);
  folder = mkdtempSync(join(tmpdir(), 'outbound-canaries-'));
});
afterAll(async () => {
  await pipeline?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const took = (where: string, text: string) => outputs.set(where, (outputs.get(where) ?? '') + text);
const tookAll = (where: string, process: ServiceProcess) =>
  took(where, [...process.logs.map((line) => JSON.stringify(line)), ...process.stderr].join('\n'));

it('the API tells none, whatever goes wrong', async () => {
  const issuer = await DevelopmentIssuer.open(folder);
  const token = await issuer.token();
  const { api, url } = await pipeline.startApi({
    CATALOG_API_LOG_LEVEL: 'debug',
    CATALOG_API_AUTH: 'on',
    CATALOG_API_AUTH_ISSUER: developmentIssuer,
    CATALOG_API_AUTH_AUDIENCE: developmentAudience,
    CATALOG_API_AUTH_JWKS_PATH: issuer.jwksPath,
    CATALOG_API_AUTH_DEVELOPMENT_ISSUER: 'true',
  });
  const statuses: number[] = [];
  const ask = async (
    method: string,
    path: string,
    body?: string,
    authorization = `Bearer ${token}`,
  ) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization,
        cookie: `session=${canaries.header}`,
        'x-canary': canaries.header,
        'idempotency-key': `${canaries.header}-${statuses.length}`,
        'if-match': '*',
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      },
      ...(body === undefined ? {} : { body }),
    });
    statuses.push(answer.status);
    const text = await answer.text();
    const isProblem = answer.headers.get('content-type')?.includes('problem+json') ?? false;
    took('answers of the API', JSON.stringify([...answer.headers]) + (isProblem ? text : ''));
    return text;
  };
  const product = (sku: string) =>
    JSON.stringify({ sku, name: canaries.payload, attributes: { secret: canaries.payload } });
  const { id } = JSON.parse(await ask('POST', '/products', product('A-1'))) as { id: string };
  await ask('POST', '/products', product('A-1'));
  await ask('POST', '/products', product(`no sku ${canaries.payload}`));
  await ask('POST', '/products', `{"name":"${canaries.payload}","${canaries.payload}":1,`);
  await ask(
    'POST',
    '/products/batch',
    `{"items":[{"sku":"${canaries.payload} !"},{"x":"${canaries.payload}"}]}`,
  );
  await ask('PATCH', `/products/${id}`, `{"price":{"amount":"${canaries.payload}"}}`);
  await ask('GET', `/products/${canaries.query}%20?x=${canaries.query}`);
  await ask('GET', `/products?cursor=${canaries.query}&brand=${canaries.query}`);
  await ask('GET', '/products', undefined, `Bearer ${canaries['forged token']}`);
  await ask('GET', `/products?access_token=${canaries['forged token']}`, undefined, '');
  // What the database, and the libraries before it, say of values: a check of its own, a column that is gone, a session that is ended.
  await pipeline.sql.query(
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'bad name: "%"', new.name using detail = new.attributes::text; end $$;
     create trigger refuse before insert on product for each row when (new.sku like 'BAD%') execute function refuse()`,
  );
  await ask('POST', '/products', product('BAD-1'));
  await pipeline.sql.query('alter table product rename column name to other');
  await ask('POST', '/products', product('A-2'));
  await ask('GET', `/products?brand=${canaries.query}`);
  await pipeline.sql.query('alter table product rename column other to name');
  await pipeline.sql.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'outbound_api'",
  );
  await ask('GET', `/products/${id}`);
  expect(statuses).toContain(500);
  const admin = await api.log('listening', (line) => typeof line['adminPort'] === 'number');
  for (const path of ['livez', 'readyz', 'metrics'])
    took(
      'admin port of the API',
      await (await fetch(`http://127.0.0.1:${Number(admin['adminPort'])}/${path}`)).text(),
    );
  await api.terminate();
  tookAll('log of the API', api);
  expect(findCanaries(canaries, outputs)).toEqual([]);
});

it('the relay tells none, nor does a relay that cannot start', async () => {
  const relay = await pipeline.startRelay({ RELAY_LOG_LEVEL: 'debug' });
  await pipeline.sql.query(
    `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
     values (gen_random_uuid(), 'catalog.product', 'poison', 'nobody.knows', 1, 'C', $1)`,
    [`{"secret":"${canaries['dead payload']}"}`],
  );
  await pipeline.caughtUp();
  const { port } = (await relay.log('listening')) as unknown as { port: number };
  for (const path of ['livez', 'readyz', 'metrics'])
    took('admin port of the relay', await (await fetch(`http://127.0.0.1:${port}/${path}`)).text());
  await relay.terminate();
  tookAll('log of the relay', relay);
  const login = {
    RELAY_LOG_LEVEL: 'debug',
    RELAY_KAFKA_SASL_MECHANISM: 'scram-sha-512',
    RELAY_KAFKA_SASL_USERNAME: 'relay',
    RELAY_KAFKA_SASL_PASSWORD: canaries['Kafka password'],
  };
  const wrong = new URL(pipeline.relayEnv['RELAY_DATABASE_URL'] ?? '');
  for (const env of [
    login,
    { ...login, RELAY_KAFKA_TLS: 'true', RELAY_KAFKA_TLS_KEY: key },
    { RELAY_SCHEMA_REGISTRY_URL: `http://u:${canaries['registry password']}@127.0.0.1:1` },
    { RELAY_DATABASE_URL: Object.assign(wrong, { username: 'nobody' }).href },
    { RELAY_DATABASE_URL: `${wrong.href}%zz,` },
    { RELAY_KAFKA_BROKERS: `u:${canaries['Kafka password']}@127.0.0.1:1` },
  ]) {
    const failing = pipeline.launchRelay(env);
    const isOver = () =>
      !failing.isRunning || failing.logs.some((line) => line['level'] === 'warn');
    await eventually(isOver, { timeoutMs: 60_000 });
    await failing.kill();
    tookAll('log of a relay that cannot start', failing);
  }
  expect(findCanaries(canaries, outputs)).toEqual([]);
});

it('a consumer and the command line tell none', async () => {
  const type = eventTypes.get(change);
  if (type === undefined) throw new Error(`${change} is not declared`);
  const brokers = stack.kafka.directBootstrap;
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const value = `{"secret":"${canaries['dead payload']}"`;
  await producer.send({ topic: pipeline.topic(change), messages: [{ key: 'k', value }] });
  await producer.disconnect();
  const write = (line: string) => void took('log of the consumer', line);
  const log = createLogger({ service: 'consumer', level: 'debug', write });
  const subscription = await subscribe({
    ...{ connection: connectionTo(brokers), eventType: type, topic: pipeline.topic(change) },
    ...{ groupId: 'canaries', log, retry: { attempts: 1, baseMs: 5, maxMs: 20 } },
    onPoison: { then: 'stop' },
    handle: () => undefined,
  });
  took(
    'end of the consumer',
    await subscription.done.then(
      () => '',
      (error: unknown) => String(error),
    ),
  );
  const env = {
    OUTBOUND_DATABASE_URL: pipeline.databaseUrl,
    OUTBOUND_KAFKA_BROKERS: brokers.join(','),
    OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
    OUTBOUND_SLOT: pipeline.slot,
    OUTBOUND_API_TOKEN: canaries['forged token'],
  };
  const wrong = new URL(pipeline.databaseUrl);
  Object.assign(wrong, { username: 'nobody', password: servicePassword });
  for (const [argv, over] of [
    [['status'], {}],
    [['status', '--json'], {}],
    [['doctor'], {}],
    [['dead-letters', 'list', '--json'], {}],
    [['verify', '--json'], {}],
    [['status'], { OUTBOUND_DATABASE_URL: wrong.href }],
    [['doctor'], { OUTBOUND_DATABASE_URL: wrong.href }],
    [['status'], { OUTBOUND_DATABASE_URL: `${wrong.href}%zz,` }],
    [['status'], { OUTBOUND_KAFKA_SASL_PASSWORD: canaries['Kafka password'] }],
    [['doctor'], { OUTBOUND_KAFKA_TLS: 'true', OUTBOUND_KAFKA_TLS_KEY: key }],
  ] as const) {
    const run = await outbound(argv, { env: { ...env, ...over } });
    took(`outbound ${argv.join(' ')}`, run.out + run.err);
  }
  expect(outputs.get('outbound dead-letters list --json')).toContain('nobody.knows');
  expect(deadLetterTopics(pipeline.topicPrefix).deadLetters.topic).toBeTruthy();
  // Passwords only: of what is in a row, a server's log is the server's.
  const { 'database password': password } = canaries;
  took('log of Postgres', readFileSync(stack.postgres.logFile, 'utf8'));
  const secrets = findCanaries({ password }, new Map([['', outputs.get('log of Postgres') ?? '']]));
  outputs.delete('log of Postgres');
  expect([...secrets, ...findCanaries(canaries, outputs)]).toEqual([]);
});

it('a program that does tell is found out', async () => {
  const leak = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
  const { api } = await pipeline.startApi(
    {},
    leak('console.log(JSON.stringify({ message: "starting", environment: process.env }))'),
  );
  await api.terminate();
  const leaked = new Map([['log', api.logs.map((line) => JSON.stringify(line)).join('\n')]]);
  expect(findCanaries(canaries, leaked)).toMatchObject([{ canary: 'database password' }]);
});
