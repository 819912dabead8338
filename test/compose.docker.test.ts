import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';

const run = promisify(execFile);

/** The images as they would be deployed: one command to a working system, a request in, an event out. */
describe('docker compose up --wait', () => {
  const project = `outbound-test-${randomBytes(3).toString('hex')}`;
  let env: NodeJS.ProcessEnv = {};
  let apiUrl = '';

  const compose = async (...args: string[]) =>
    (await run('docker', ['compose', '-p', project, ...args], { env, maxBuffer: 64 * 1024 * 1024 }))
      .stdout;
  /** `docker compose up --wait`; what the containers said is the reason when it fails. */
  const up = async (...args: string[]) => {
    try {
      await compose('up', '--wait', '--wait-timeout', '400', ...args);
    } catch (error) {
      const logs = await compose('logs', '--no-color', '--tail', '30');
      throw new Error(`docker compose up --wait failed; the containers said:\n${logs}`, {
        cause: error,
      });
    }
  };
  const inspect = async (service: string, format: string) => {
    const id = (await compose('ps', '-a', '-q', service)).trim();
    return (await run('docker', ['inspect', id, '--format', format])).stdout.trim();
  };
  const records = async (topic: string) =>
    (
      await compose(
        'exec',
        '-T',
        'kafka',
        '/opt/kafka/bin/kafka-console-consumer.sh',
        '--bootstrap-server',
        'localhost:19092',
        '--topic',
        topic,
        '--from-beginning',
        '--timeout-ms',
        '5000',
        '--formatter-property',
        'print.key=true',
      )
    )
      .split('\n')
      .filter((line) => line.includes('\t'));

  beforeAll(async () => {
    const [postgres, kafka, api, apiAdmin, relayAdmin] = (await freePorts(5)).map(String);
    env = {
      ...process.env,
      POSTGRES_PORT: postgres,
      KAFKA_PORT: kafka,
      API_PORT: api,
      API_ADMIN_PORT: apiAdmin,
      RELAY_ADMIN_PORT: relayAdmin,
    };
    apiUrl = `http://127.0.0.1:${String(api)}`;
    await up('--build');
  });
  afterAll(async () => {
    await compose('down', '--volumes', '--timeout', '5');
  });

  it('asks who calls, and keeps the key of its issuer from the API', async () => {
    expect((await fetch(`${apiUrl}/products`)).status).toBe(401);
    const readOnly = await compose(
      ...['run', '--rm', '-T', 'token', '--scope', 'catalog.product.read', '--lifetime', '60'],
    );
    const headers = { authorization: `Bearer ${readOnly.trim()}` };
    expect((await fetch(`${apiUrl}/products`, { headers })).status).toBe(200);
    const refused = await fetch(`${apiUrl}/products`, { method: 'POST', headers });
    expect(refused.status).toBe(403);
    await expect(
      compose('exec', '-T', 'catalog-api', 'cat', '/issuer/private.jwk'),
    ).rejects.toThrow('Permission denied');
  });

  it('comes to a system that turns a request into an event, and a deletion into a tombstone', async () => {
    const token = (await compose('run', '--rm', '-T', 'token')).trim();
    const authorization = `Bearer ${token}`;
    const created = await fetch(`${apiUrl}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: '{"sku":"COMPOSE-1","name":"From compose","status":"ACTIVE"}',
    });
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as { id: string };
    const change = await eventually(
      async () =>
        (await records('catalog.product-change')).find((line) => line.startsWith(`${id}\t`)),
      { timeoutMs: 60_000 },
    );
    expect(JSON.parse(change.slice(change.indexOf('\t') + 1))).toMatchObject({
      data_op: 'C',
      data: { id, sku: 'COMPOSE-1', version: 1 },
    });
    const deleted = await fetch(`${apiUrl}/products/${id}`, {
      method: 'DELETE',
      headers: { 'if-match': '"1"', authorization },
    });
    expect(deleted.status).toBe(204);
    await eventually(async () => (await records('catalog.product')).includes(`${id}\tnull`), {
      timeoutMs: 60_000,
    });
  });

  it.each(['catalog-api', 'relay'])(
    'runs %s as a user without privileges on a read-only file system',
    async (service) => {
      expect(
        await inspect(
          service,
          '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}',
        ),
      ).toBe('node true [ALL]');
      expect((await compose('exec', '-T', service, 'id', '-u')).trim()).toBe('1000');
      await expect(compose('exec', '-T', service, 'touch', '/home/node/mine')).rejects.toThrow(
        'Read-only file system',
      );
    },
  );

  it('takes its secrets from files, and leaves none in the environment of a container', async () => {
    const secretsDirectory = await mkdtemp(join(tmpdir(), 'outbound-secrets-'));
    const url = (role: string) => `postgres://${role}:development@postgres:5432/catalog`;
    const files = {
      postgres_password: 'development',
      migrate_database_url: url('postgres'),
      api_password: 'development',
      api_database_url: url('outbound_api'),
      relay_password: 'development',
      relay_database_url: url('outbound_relay'),
    };
    try {
      for (const [name, value] of Object.entries(files))
        await writeFile(join(secretsDirectory, name), `${value}\n`);
      const plain = env;
      env = {
        ...env,
        SECRETS_DIR: secretsDirectory,
        COMPOSE_FILE: 'docker-compose.yml:deploy/compose.secrets.yml',
      };
      try {
        await compose('run', '--rm', '--no-deps', 'migrate');
        await up('--no-deps', 'catalog-api', 'relay');
      } finally {
        env = plain;
      }
      for (const service of ['catalog-api', 'relay'])
        expect(await inspect(service, '{{.Config.Env}}')).not.toMatch(
          /:development@|PASSWORD=development/,
        );
    } finally {
      await rm(secretsDirectory, { recursive: true });
    }
  });

  it.each(['relay', 'catalog-api'])(
    'stops %s by its signal, with exit code 0 and before the engine would kill it',
    async (service) => {
      await compose('stop', service);
      expect(await inspect(service, '{{.State.ExitCode}}')).toBe('0');
    },
  );
});
