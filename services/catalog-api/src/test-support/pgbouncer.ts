import { accessSync, chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, startProgram } from '@outbound/local-stack';
import pg from 'pg';

const binary = '/usr/sbin/pgbouncer';

/** PgBouncer in transaction mode before a server. */
export interface PgBouncer extends AsyncDisposable {
  /** The database's URL through it. */
  readonly url: string;
}

/**
 * Starts PgBouncer with one connection to the server, so that whatever one client leaves behind meets the next one.
 * @param databaseUrl of the role that clients log in as, with its password.
 * @param settings lines of its section `[pgbouncer]`.
 * @throws Error with the remedy if it is not installed.
 */
export async function startPgBouncer(
  databaseUrl: string,
  settings: readonly string[] = [],
): Promise<PgBouncer> {
  try {
    accessSync(binary);
  } catch {
    throw new Error('PgBouncer is not installed: apt-get install pgbouncer');
  }
  const target = new URL(databaseUrl);
  const [port = 0] = await freePorts(1);
  const program = await startProgram({
    what: 'PgBouncer',
    command: (folder) => {
      const ini = [
        '[databases]',
        `* = host=${target.hostname} port=${target.port}`,
        '[pgbouncer]',
        'listen_addr = 127.0.0.1',
        `listen_port = ${port}`,
        'unix_socket_dir =',
        'auth_type = scram-sha-256',
        `auth_file = ${join(folder, 'users.txt')}`,
        'pool_mode = transaction',
        'default_pool_size = 1',
        ...settings,
      ];
      writeFileSync(join(folder, 'pgbouncer.ini'), `${ini.join('\n')}\n`);
      writeFileSync(join(folder, 'users.txt'), `"${target.username}" "${target.password}"\n`);
      // It refuses to be root, and reads its users as whom it becomes.
      chmodSync(folder, 0o755);
      const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
      return [binary, ...user, join(folder, 'pgbouncer.ini')];
    },
  });
  const url = Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href;
  await program.untilReady(async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    await client.end();
    return true;
  });
  return { url, [Symbol.asyncDispose]: () => program.close() };
}
