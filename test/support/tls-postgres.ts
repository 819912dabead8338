import { chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import type { Certificate } from './certificate.ts';

/**
 * Makes a server that runs take TLS connections only, whoever comes: with this certificate, or with another when called again. A session that is open stays.
 * @param clientAuthority set: only whoever shows a certificate of this authority that has the role's name gets in, beside the password.
 */
export async function requireTls(
  postgres: PostgresServer,
  { key, cert }: Certificate,
  clientAuthority?: string,
): Promise<void> {
  const write = (name: string, text: string) => {
    const path = join(postgres.dataDir, name);
    writeFileSync(path, text, { mode: 0o600 });
    const { uid, gid } = statSync(postgres.dataDir);
    chownSync(path, uid, gid);
  };
  write('server.key', key);
  write('server.crt', cert);
  if (clientAuthority !== undefined) write('root.crt', clientAuthority);
  // The superuser of the test stays without, to look and to change all this.
  const option = clientAuthority === undefined ? '' : 'clientcert=verify-full';
  write(
    'pg_hba.conf',
    [
      'host all postgres 127.0.0.1/32 scram-sha-256',
      `hostssl all all 127.0.0.1/32 scram-sha-256 ${option}`,
    ].join('\n') + '\n',
  );
  const admin = new pg.Client(postgres.url);
  await admin.connect();
  await admin.query(
    `alter system set ssl_ca_file = '${clientAuthority === undefined ? '' : 'root.crt'}'`,
  );
  await admin.query('alter system set ssl = on');
  await admin.query('select pg_reload_conf()');
  await admin.end();
}
