import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { chown, copyFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../support/eventually.ts';
import { startFaultProxy } from '../../../support/fault-proxy.ts';
import { startTestStack, type TestStack } from '../../../support/test-stack.ts';
import type { FaultRow } from '../fault-row.ts';
import { inFlightRecords, moreWritten, underLoad } from '../under-load.ts';

const times = 4;

/** A certificate of its own for `localhost`, and TLS switched on. @returns where the certificate is. */
async function switchOnTls({ postgres }: TestStack, folder: string): Promise<string> {
  const [key, certificate] = [join(folder, 'server.key'), join(folder, 'server.crt')];
  execFileSync(
    'openssl',
    `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${key} -out ${certificate}`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  );
  const { uid, gid } = statSync(postgres.dataDir);
  for (const name of ['server.key', 'server.crt']) {
    const path = join(postgres.dataDir, name);
    await copyFile(join(folder, name), path);
    await chmod(path, 0o600);
    await chown(path, uid, gid);
  }
  return certificate;
}

export const row: FaultRow = {
  number: 25,
  fault: 'one bit of the stream is flipped, 4 times a round, at a random byte, under TLS',
  expected: 'the record is refused; another connection goes on from the acknowledged position',
  seeds: 20,
  inCi: false,
  run: async (round) => {
    await using stack = await startTestStack();
    await using proxy = await startFaultProxy({ port: stack.postgres.port });
    const folder = mkdtempSync(join(tmpdir(), 'outbound-tls-'));
    try {
      const certificate = await switchOnTls(stack, folder);
      return await underLoad(
        stack,
        {
          postgresProxy: proxy,
          urlParameters: { sslmode: 'verify-full', sslrootcert: certificate },
          before: async ({ sql }) => {
            await sql.query('alter system set ssl = on');
            await sql.query('select pg_reload_conf()');
          },
          allowedDuplicates: times * inFlightRecords,
        },
        async ({ pipeline, relay, load }) => {
          const { rows } = await pipeline.sql.query<{ plain: number }>(
            "select count(*)::int as plain from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'outbound_relay' and not ssl",
          );
          if (rows[0]?.plain !== 0) throw new Error('the relay has a connection without TLS');
          for (let time = 1; time <= times; time += 1) {
            const { corrupted } = proxy.counts;
            proxy.set({
              mode: 'corrupt',
              direction: 'down',
              offset: round.chance.int(0, 20_000),
            });
            await eventually(() => proxy.counts.corrupted > corrupted, { timeoutMs: 60_000 });
            proxy.heal();
            await moreWritten(load, 20);
            await pipeline.caughtUp();
          }
          const lost = relay.logs.filter(
            ({ message }) =>
              message === 'the session failed and starts again' ||
              message === 'Postgres could not be asked about the slot',
          );
          return {
            bit: `${proxy.counts.corrupted} bits flipped, ${lost.length} lines of the log say that a connection was given up`,
            judged: [],
          };
        },
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
