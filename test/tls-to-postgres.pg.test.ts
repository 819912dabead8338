import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { postgresConnection, quietLogger } from '@outbound/service-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { migrateDatabase } from '../services/catalog-api/src/migrations/migrate-database.ts';
import { startService } from '../services/catalog-api/src/service.ts';
import { testConfig } from '../services/catalog-api/src/test-support/catalog-service.ts';
import { connect, destroy } from '../services/relay/src/wal/sentinel.ts';
import { Authority } from './support/authority.ts';
import { eventually } from './support/eventually.ts';
import { requireTls } from './support/tls-postgres.ts';
import { servicePassword, urlAs } from './support/test-stack.ts';

/* The API, the relay's two connections, the command line and the migrations over TLS to a real server: what each says of a certificate that is not right, and what a renewal needs. */

describe('TLS to Postgres', () => {
  const ours = new Authority('ours');
  const stranger = new Authority('a stranger');
  const folder = mkdtempSync(join(tmpdir(), 'outbound-postgres-tls-'));
  const caFile = join(folder, 'ca.pem');
  const good = ours.issue({ name: 'db' });
  let server: PostgresServer;
  let databaseUrl: string;

  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
    databaseUrl = await server.createDatabase('catalog');
    await migrateDatabase({
      databaseUrl,
      directory: 'migrations',
      passwords: {
        outbound_api: servicePassword,
        outbound_relay: servicePassword,
        outbound_operator: servicePassword,
      },
    });
    writeFileSync(caFile, ours.cert);
    await requireTls(server, good);
  });
  afterAll(async () => {
    await server?.close();
    ours[Symbol.dispose]();
    stranger[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  const tlsUrl = (role: string, parameters: Readonly<Record<string, string>> = {}) => {
    const url = new URL(urlAs(databaseUrl, role));
    for (const [name, value] of Object.entries({
      sslmode: 'verify-full',
      sslrootcert: caFile,
      ...parameters,
    }))
      url.searchParams.set(name, value);
    return url.href;
  };

  async function startApi(url = tlsUrl('outbound_api')) {
    const service = await startService(testConfig(url), quietLogger(), 'test');
    onTestFinished(() => service.close());
    const get = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    return {
      becomes: (status: number, detail = /^/) =>
        eventually(async () => {
          const ready = await get(service.adminPort, '/readyz');
          return ready.status === status && detail.test(await ready.text());
        }),
      answer: async () => {
        const answer = await get(service.port, '/products');
        return { status: answer.status, text: await answer.text() };
      },
    };
  }

  /** The relay's two connections: for questions, and for the stream. */
  async function openRelay(url = tlsUrl('outbound_relay')) {
    const clients = [
      await connect({ databaseUrl: url }),
      // The driver's types have no room for it.
      await connect({ databaseUrl: url }, { replication: 'database' } as object),
    ];
    return { close: () => clients.forEach(destroy) };
  }

  const status = (url = tlsUrl('outbound_operator')) =>
    outbound(['status', '--json'], { env: { OUTBOUND_DATABASE_URL: url } });

  it('works for all of them with a good certificate, and each connection is encrypted', async () => {
    const { becomes, answer } = await startApi();
    await becomes(200);
    expect((await answer()).status).toBe(200);
    const stream = await openRelay();
    const admin = new pg.Client(server.url);
    await admin.connect();
    const { rows } = await admin.query(
      `select application_name as name, bool_and(ssl) as ssl from pg_stat_ssl join pg_stat_activity using (pid)
       where usename like 'outbound_%' group by 1 order by 1`,
    );
    await admin.end();
    stream.close();
    expect(rows).toEqual([
      { name: 'catalog-api', ssl: true },
      { name: 'catalog-api-readiness', ssl: true },
      { name: 'outbound-relay', ssl: true },
    ]);
    expect((await status()).code).toBe(0);
  });

  it.each([
    ['has expired', () => ours.issue({ name: 'db', days: -1 }), /expired/i],
    [
      'has another name',
      () => ours.issue({ name: 'db', altName: 'IP:127.0.0.2' }),
      /127\.0\.0\.1|ALTNAME/,
    ],
    [
      'is of an authority that nobody knows',
      () => stranger.issue({ name: 'db' }),
      /unable.(to.verify|.*issuer)/i,
    ],
  ] as const)('a certificate that %s is refused by each, with its reason', async (_, bad, why) => {
    await requireTls(server, bad());
    onTestFinished(() => requireTls(server, good));
    const { becomes, answer } = await startApi();
    const refused = await answer();
    expect(refused.status).toBe(503);
    expect(refused.text).not.toMatch(why);
    await becomes(503, why);
    await expect(openRelay()).rejects.toMatchObject({
      code: 'SOURCE_AUTH_FAILED',
      message: expect.stringMatching(why) as string,
    });
    const run = await status();
    expect(`${run.code} ${run.out}${run.err}`).toMatch(why);
    await expect(
      migrateDatabase({ databaseUrl: tlsUrl('postgres'), directory: 'migrations' }),
    ).rejects.toThrow(why);
  });

  it('whoever comes without TLS is refused by the server, and nobody falls back to it', async () => {
    await expect(openRelay(tlsUrl('outbound_relay', { sslmode: 'disable' }))).rejects.toMatchObject(
      {
        code: 'SOURCE_AUTH_FAILED',
        message: expect.stringContaining('no encryption') as string,
      },
    );
    const plain = await startPostgres({ major: 15 });
    onTestFinished(() => plain.close());
    const url = Object.assign(new URL(tlsUrl('outbound_relay')), { port: String(plain.port) }).href;
    await expect(openRelay(url)).rejects.toMatchObject({
      code: 'SOURCE_AUTH_FAILED',
      message: expect.stringContaining('does not support SSL') as string,
    });
  });

  it('a renewed server, under another authority, is believed at the next connection, without a restart', async () => {
    const { becomes, answer } = await startApi();
    await becomes(200);
    expect((await answer()).status).toBe(200);
    await requireTls(server, stranger.issue({ name: 'db' }));
    onTestFinished(async () => {
      writeFileSync(caFile, ours.cert);
      await requireTls(server, good);
    });
    // Sessions go on; new ones do not come about until the file has the new authority. While it is written, the last good one holds.
    expect((await answer()).status).toBe(200);
    await endSessions();
    expect((await answer()).status).toBe(503);
    writeFileSync(caFile, '');
    expect((await answer()).status).toBe(503);
    rmSync(caFile);
    expect((await answer()).status).toBe(503);
    writeFileSync(`${caFile}.new`, ours.cert + stranger.cert);
    renameSync(`${caFile}.new`, caFile);
    await becomes(200);
    expect((await answer()).status).toBe(200);
  });

  it('a certificate of our own lets in whom it names, and nobody else; a renewed one is shown at the next connection', async () => {
    await requireTls(server, good, ours.cert);
    onTestFinished(() => requireTls(server, good));
    const files = { sslcert: join(folder, 'client.pem'), sslkey: join(folder, 'client.key') };
    const show = ({ cert, key }: { readonly cert: string; readonly key: string }) => {
      writeFileSync(files.sslcert, cert);
      writeFileSync(files.sslkey, key);
    };
    show(ours.issue({ name: 'outbound_relay' }));
    const stream = await openRelay(tlsUrl('outbound_relay', files));
    stream.close();
    await expect(openRelay(tlsUrl('outbound_relay'))).rejects.toMatchObject({
      code: 'SOURCE_AUTH_FAILED',
      message: expect.stringContaining('certificate') as string,
    });
    show(ours.issue({ name: 'outbound_api' }));
    await expect(openRelay(tlsUrl('outbound_relay', files))).rejects.toMatchObject({
      code: 'SOURCE_AUTH_FAILED',
    });
    const { becomes, answer } = await startApi(tlsUrl('outbound_api', files));
    await becomes(200);
    show(ours.issue({ name: 'outbound_api', days: -1 }));
    await endSessions();
    expect((await answer()).status).toBe(503);
    show(ours.issue({ name: 'outbound_api' }));
    await becomes(200);
    expect((await answer()).status).toBe(200);
  });

  it('a password that was changed ends no session; new ones need a restart with the new one, and say so until then', async () => {
    const admin = new pg.Client(databaseUrl);
    await admin.connect();
    onTestFinished(() => admin.end());
    const { becomes, answer } = await startApi();
    await becomes(200);
    expect((await answer()).status).toBe(200);
    await admin.query("alter role outbound_api password 'renewed'");
    onTestFinished(async () => {
      await admin.query(`alter role outbound_api password '${servicePassword}'`);
    });
    expect((await answer()).status).toBe(200);
    await endSessions();
    expect((await answer()).status).toBe(503);
    await becomes(503, /28P01/);
    const url = Object.assign(new URL(tlsUrl('outbound_api')), { password: 'renewed' }).href;
    const restarted = await startApi(url);
    await restarted.becomes(200);
  });

  /** Ends every session of the services, and waits until they are gone. */
  async function endSessions(): Promise<void> {
    const admin = new pg.Client(server.url);
    await admin.connect();
    await eventually(async () => {
      const { rowCount } = await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'outbound_%'",
      );
      return rowCount === 0;
    });
    await admin.end();
  }
});

it('certificates that cannot be used are told at the start, with the file and without the password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outbound-postgres-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ca.pem');
  const open = () =>
    postgresConnection(`postgres://u:canary@h/d?sslmode=verify-full&sslrootcert=${file}`);
  expect(open).toThrow(file);
  expect(open).not.toThrow('canary');
  writeFileSync(file, '-----BEGIN CERTIFICATE-----\nbm90\n-----END CERTIFICATE-----\n');
  expect(open).toThrow('cannot be used');
});
