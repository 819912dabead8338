import { PipelineError, postgresConnection } from '@outbound/service-kit';
import type { ClientConfig } from 'pg';
import { RelayError } from '../errors.ts';

/** How the source connects: twice with the same URL, for the stream and for questions. */
export interface ConnectionSettings {
  /** `postgres://user:password@host:port/database?…`; a secret, never in a message. */
  readonly databaseUrl: string;
  /** Seen in `pg_stat_activity` and `pg_stat_replication`. Defaults to `outbound-relay`. */
  readonly applicationName?: string;
  /** Until a connection has answered. Defaults to 10,000 ms. */
  readonly connectTimeoutMs?: number;
}

export const defaultConnectTimeoutMs = 10_000;

/**
 * Settings of our sessions: times print as ISO in UTC, row security can't run a policy in the stream, and no timeout that suits an
 * application's sessions ends ours. They travel in the start-up packet, so they hold before the first statement.
 * Source: https://www.postgresql.org/docs/current/logical-replication-security.html (row_security)
 */
const sessionOptions = [
  'TimeZone=UTC',
  'DateStyle=ISO',
  'row_security=off',
  'statement_timeout=0',
  'lock_timeout=0',
  'idle_in_transaction_session_timeout=0',
  'idle_session_timeout=0',
  'search_path=pg_catalog',
  // A role's own setting could hide the warning that a publication was not there (18), which is all that tells of the loss.
  'client_min_messages=warning',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/**
 * The driver's configuration. The URL's own `options` stay and come first, so that ours win; the driver lets a URL win over
 * everything beside it, which is why they are written into it.
 * @throws RelayError CONFIG_INVALID if the URL is none; the text is not repeated, since it holds the password. SOURCE_CONNECTION_LOST where a certificate's file cannot be
 * used now: it could at the start, so it is being renewed.
 */
export function clientConfig(settings: ConnectionSettings): ClientConfig {
  let url: URL;
  try {
    url = new URL(settings.databaseUrl);
  } catch {
    throw new RelayError(
      'CONFIG_INVALID',
      'the database URL is not a URL; it looks like postgres://user:password@host:5432/database, with special characters percent-encoded',
    );
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw new RelayError(
      'CONFIG_INVALID',
      `the database URL begins with "${url.protocol}"; it must begin with postgres://`,
    );
  const own = url.searchParams.get('options');
  url.searchParams.set('options', own ? `${own} ${sessionOptions}` : sessionOptions);
  url.searchParams.set('application_name', settings.applicationName ?? 'outbound-relay');
  return {
    ...withCertificates(url.href),
    connectionTimeoutMillis: settings.connectTimeoutMs ?? defaultConnectTimeoutMs,
    // The driver's default is off: a host that vanished would be noticed after a quarter of an hour.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

function withCertificates(url: string): ClientConfig {
  try {
    return postgresConnection(url);
  } catch (cause) {
    if (!(cause instanceof PipelineError)) throw cause;
    throw new RelayError('SOURCE_CONNECTION_LOST', cause.message, { cause });
  }
}

/**
 * An identifier for SQL, in double quotes: unquoted, Postgres lower-cases it, and `MyPub` would be looked for as `mypub`.
 * @throws RelayError CONFIG_INVALID if it is empty, longer than 63 bytes or holds a zero byte.
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || Buffer.byteLength(name) > 63 || name.includes('\0'))
    throw new RelayError(
      'CONFIG_INVALID',
      `"${name.replaceAll('\0', '\\0')}" is not an identifier: it must have 1 to 63 bytes and no zero byte`,
    );
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string literal for a replication command, which takes no parameters. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Postgres' own rule for slot names.
 * @throws RelayError CONFIG_INVALID
 */
export function assertSlotName(slot: string): void {
  if (!/^[a-z0-9_]{1,63}$/.test(slot))
    throw new RelayError(
      'CONFIG_INVALID',
      `slot name "${slot}" must be 1 to 63 of a-z, 0-9 and _ (Postgres allows no others)`,
    );
}
