import { getSystemErrorMap } from 'node:util';

/** `network`: nobody is there, or the connection broke; it passes by itself. `certificate`: TLS works, and the other side is not believed: a verdict. */
export type ConnectionFault = 'network' | 'certificate';

interface KnownFields {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly path?: unknown;
  readonly severity?: unknown;
}

/**
 * Verdicts on a certificate: Node's names for what OpenSSL's check said, and the alerts by which the other side refuses ours. A broken record, a
 * version that does not fit or a handshake that was cut has a code of its own, and is none of these.
 * Source: https://nodejs.org/api/tls.html#x509-certificate-error-codes, RFC 8446 6.2.
 */
const certificate =
  /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|INVALID_(CA|PURPOSE)$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERR_TLS_CERT_|ERR_SSL_\w*ALERT_\w*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED))/;

/** Node's own words for a connection that is gone, or speaks no TLS that we understand. */
const brokenConnection =
  /^ERR_(SSL_|TLS_HANDSHAKE_TIMEOUT$|SOCKET_|STREAM_(DESTROYED|WRITE_AFTER_END|PREMATURE_CLOSE)$)/;

const systemErrors: ReadonlySet<string> = new Set([
  ...Array.from(getSystemErrorMap().values(), ([name]) => name),
  // Node's name for EAI_NONAME.
  'ENOTFOUND',
]);

/** What only a disk says. */
const ofDisks: ReadonlySet<string> = new Set([
  ...['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST', 'EXDEV'],
  ...['ETXTBSY', 'EIO'],
]);

/** A port or a file of our own: no other side is in it. */
const ownCalls = /^(listen|bind|open|scandir|stat|lstat|mkdir|rename|unlink|spawn)\b/;

/**
 * What an error says of a connection to somebody else, or undefined if it is about something else. Every error number of the system counts as the
 * network's, since a list of those that "can" come is never whole (EACCES and EPERM are a firewall, EMFILE is a moment without a free handle); a
 * retry that is in vain costs less than a process that stopped. One table for all programs.
 * Of several addresses that were tried (AggregateError) the first that says something counts. The chain of causes is not followed.
 */
export function connectionFault(thrown: unknown): ConnectionFault | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code, syscall, path, severity } = thrown as KnownFields;
  // A database's answer has a severity, a file's error its path.
  if (typeof severity === 'string' || typeof path === 'string') return undefined;
  if (typeof code === 'string') {
    if (certificate.test(code)) return 'certificate';
    if (brokenConnection.test(code)) return 'network';
    if (systemErrors.has(code) && !ofDisks.has(code))
      return typeof syscall === 'string' && ownCalls.test(syscall) ? undefined : 'network';
  }
  if (!(thrown instanceof AggregateError)) return undefined;
  return thrown.errors.map(connectionFault).find((fault) => fault !== undefined);
}
