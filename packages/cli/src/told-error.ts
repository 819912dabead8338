import { connectionFault, PipelineError } from '@outbound/service-kit';
import { CliError, exitCodes, type ExitCode } from './exit-codes.ts';

/**
 * Exit codes of errors that the packages below raise, which know nothing of exit codes: one fault ends every verb
 * alike.
 */
const codesBelow: Readonly<Record<string, ExitCode>> = {
  CONFIG_INVALID: exitCodes.usage,
  TOPIC_MISSING: exitCodes.usage,
  STORE_UNUSABLE: exitCodes.usage,
  STORE_UNAVAILABLE: exitCodes.unavailable,
  STORE_WENT_BACK: exitCodes.unavailable,
  READER_STALLED: exitCodes.unavailable,
  TRANSACTION_OPEN: exitCodes.unavailable,
  READ_REFUSED: exitCodes.unavailable,
  KAFKA_UNAVAILABLE: exitCodes.unavailable,
  KAFKA_PARTITION_UNAVAILABLE: exitCodes.unavailable,
  KAFKA_AUTH_FAILED: exitCodes.unavailable,
  KAFKA_FORBIDDEN: exitCodes.unavailable,
  KAFKA_TOPIC_MISSING: exitCodes.usage,
};

/**
 * Classes of SQLSTATE in which the server does not serve us: no connection, no login, no resources, shutting down.
 * Source: Postgres, appendix A.
 */
const notServed = /^(08|28|53|57P)/;
/** Its code, 55000, means much else too. */
const notAccepting = /^database ".+" is not currently accepting connections/;
const noRight = '42501';

const fileFaults: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'the quota of the disk is used up: make room',
  EFBIG: 'the file would be larger than it may be: name another place',
  EROFS: 'the disk can only be read: name another place',
  EPERM: 'this user may not: change its rights, or name another place',
  EACCES: 'this user may not: change its rights, or name another place',
  EISDIR: 'it is a directory: name a file',
  ENOTDIR: 'a part of the path is no directory: correct it',
  ENOENT: 'there is no such file or directory: correct the path',
  EMFILE: 'too many files are open: raise ulimit -n',
  EIO: 'the disk failed: look at its log',
};

interface KnownFields {
  readonly code?: unknown;
  readonly path?: unknown;
  readonly severity?: unknown;
}

/**
 * Whatever a verb threw, as an error with its exit code and one sentence. What Postgres, the network and the disk say
 * is theirs, whichever
 * library wrapped it.
 */
export function toldError(thrown: unknown): CliError {
  if (thrown instanceof CliError) return thrown;
  if (thrown instanceof PipelineError)
    return new CliError(String(thrown.code), thrown.message, {
      exitCode: codesBelow[thrown.code as string] ?? exitCodes.failed,
      cause: thrown,
    });
  for (let cause: unknown = thrown; cause instanceof Error; cause = firstCause(cause)) {
    if (cause instanceof PipelineError) return toldError(cause);
    const known = fromSystem(cause, thrown);
    if (known) return known;
  }
  return new CliError('FAILED', thrown instanceof Error ? thrown.message : String(thrown), {
    cause: thrown,
  });
}

/** Of several connections that failed at once (a name with two addresses) the first says it. */
function firstCause(error: Error): unknown {
  return (
    error.cause ?? (error instanceof AggregateError ? (error.errors[0] as unknown) : undefined)
  );
}

function fromSystem(error: Error, cause: unknown): CliError | undefined {
  const { code, path, severity } = error as KnownFields;
  if (typeof code !== 'string') return lostWithoutCode(error, cause);
  if (typeof severity === 'string') return fromPostgres(code, error, cause);
  if (typeof path === 'string' && fileFaults[code] !== undefined)
    return new CliError('FILE_FAILED', `${path}: ${fileFaults[code]} (${code})`, {
      exitCode:
        code === 'ENOSPC' || code === 'EDQUOT' || code === 'EIO'
          ? exitCodes.failed
          : exitCodes.usage,
      cause,
    });
  if (code === 'ENOSPC' || code === 'EDQUOT')
    // A write to an open file names no path.
    return new CliError('FILE_FAILED', `${fileFaults[code] ?? code} (${code})`, { cause });
  if (connectionFault(error) !== undefined)
    return new CliError(
      'NOT_REACHED',
      `a server does not answer (${error.message}): check that it runs and can be reached (outbound doctor)`,
      { exitCode: exitCodes.unavailable, cause },
    );
  return undefined;
}

/** Of Postgres its text, never its detail: that holds values of rows. */
function fromPostgres(code: string, { message }: Error, cause: unknown): CliError {
  if (notServed.test(code) || notAccepting.test(message))
    return new CliError(
      'DATABASE_UNAVAILABLE',
      `the database does not serve us: ${message} (${code}): check OUTBOUND_DATABASE_URL, and the server's log`,
      { exitCode: exitCodes.unavailable, cause },
    );
  return new CliError(
    code === noRight ? 'DATABASE_FORBIDDEN' : 'DATABASE_FAILED',
    code === noRight
      ? `the database does not allow it: ${message}: use the role outbound_operator, or grant the right`
      : `the database refuses it: ${message} (${code})`,
    { cause },
  );
}

const lostWords = [
  '^Connection terminated',
  '^Client has encountered a connection error',
  '^Client was closed',
  '^timeout expired',
  'timeout exceeded when trying to connect',
];

/** pg gives no code to a connection that ends under it. */
function lostWithoutCode(error: Error, cause: unknown): CliError | undefined {
  if (!new RegExp(lostWords.join('|')).test(error.message)) return undefined;
  return new CliError(
    'DATABASE_UNAVAILABLE',
    `the connection to the database was lost (${error.message}): check that Postgres runs, then run it again`,
    { exitCode: exitCodes.unavailable, cause },
  );
}
