import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
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
    await compose('up', '--build', '--wait', '--wait-timeout', '400');
  });
  afterAll(async () => {
    await compose('down', '--volumes', '--timeout', '5');
  });

  it('comes to a system that turns a request into an event, and a deletion into a tombstone', async () => {
    const created = await fetch(`${apiUrl}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
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
      headers: { 'if-match': '"1"' },
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
      expect((await compose('exec', '-T', service, 'id', '-u')).trim()).not.toBe('0');
    },
  );

  it('stops the relay by its signal: drained, with exit code 0', async () => {
    await compose('stop', 'relay');
    expect(await inspect('relay', '{{.State.ExitCode}}')).toBe('0');
  });
});
