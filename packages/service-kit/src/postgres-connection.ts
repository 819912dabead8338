import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { PipelineError } from './errors.ts';
import { tlsOptions } from './tls-options.ts';

/** What the driver is given for a URL: the URL without what it says of certificates, and that as options. */
export interface PostgresConnection {
  readonly connectionString: string;
  /** Absent: as the URL says. */
  readonly ssl?: ConnectionOptions;
}

const files = ['sslrootcert', 'sslcert', 'sslkey'] as const;
/** Each of them checks certificate and name, as long as libpq's meanings are not asked for, which `postgresUrlSetting` refuses. */
const checkedModes: ReadonlySet<string> = new Set([
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
]);

/**
 * The connection that a URL means, with its certificate files read again at each connection: a renewed one is used by the next, and while a file is missing or half written the last good
 * one is. The driver alone would read them at each connection too, and throw where one is missing, also in the midst of handing a connection to somebody else.
 * @throws PipelineError CONFIG_INVALID naming the file, if one cannot be used at the start.
 */
export function postgresConnection(databaseUrl: string): PostgresConnection {
  const url = new URL(databaseUrl);
  const { searchParams } = url;
  const paths = files.map((name) => searchParams.get(name) ?? undefined);
  const mode = searchParams.get('sslmode');
  const isDirect = searchParams.get('sslnegotiation') === 'direct';
  const isTls = (mode === null && paths.some(Boolean)) || (mode !== null && checkedModes.has(mode));
  // The driver takes options only from a URL that says nothing of TLS.
  if (!isTls || isDirect) return { connectionString: databaseUrl };
  const [ca, cert, key] = paths.map((path) => (path === undefined ? undefined : fileText(path)));
  let current: () => ConnectionOptions;
  try {
    current = tlsOptions({ ca, cert, key });
  } catch (error) {
    const named = files.flatMap((name, index) => {
      const path = paths[index];
      return path === undefined ? [] : [`${name}=${path}`];
    });
    throw new PipelineError(
      'CONFIG_INVALID',
      `the certificates of the database URL (${named.join(', ')}) cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  for (const name of [...files, 'sslmode', 'ssl']) searchParams.delete(name);
  return {
    connectionString: url.href,
    ssl: {
      rejectUnauthorized: true,
      // The driver copies the options for each connection, and so asks anew.
      get secureContext() {
        const { secureContext } = current();
        return secureContext;
      },
    },
  };
}

function fileText(path: string): () => string {
  return () => readFileSync(path, 'utf8');
}
