import { connectionFault } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';

/** What is looked at of what `pg` throws. */
interface DriverError {
  readonly code?: unknown;
  readonly message: string;
  readonly errors?: readonly unknown[];
}

/**
 * Classes of SQLSTATE that say that the server does not serve us: no connection, no login, no resources. Source:
 * Postgres, Appendix A.
 */
const unavailable = /^(08...|28...|57P..|53[^1]..)$/;
/**
 * Those that `pg` says in words only; and a database that takes no connections, whose code (55000) means much else too.
 */
const unavailableWords = new RegExp(
  `^(${[
    'Connection terminated',
    'Client has encountered a connection error',
    'Client was closed',
    'timeout exceeded when trying to connect',
    'database ".+" is not currently accepting connections',
  ].join('|')})`,
);
const outOfDisk = '53100';
/** What a replica says that has not been made the primary yet. */
const readOnly = '25006';

/** True for a value that is no JSON, or no text, in the eyes of Postgres. Source: Postgres, Appendix A. */
export function isRefusedValue(thrown: unknown): boolean {
  return /^(22P02|22P05|22021|54001)$/.test(codeOf(thrown) ?? '');
}

/** True where an index, which takes some 2,700 bytes, cannot hold a key. Source: Postgres, Appendix A. */
export function isTooLong(thrown: unknown): boolean {
  return codeOf(thrown) === '54000';
}

/**
 * What failed in a store's Postgres, in a sentence that blames nobody else. An error of ours stays as it is.
 * @param table as it is called in full.
 */
export function postgresStoreError(thrown: unknown, table: string): ConsumerError {
  if (thrown instanceof ConsumerError) return thrown;
  const code = codeOf(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (
    connectionFault(thrown) !== undefined ||
    (code !== undefined && unavailable.test(code)) ||
    unavailableWords.test(message)
  )
    return new ConsumerError(
      'STORE_UNAVAILABLE',
      `Postgres with ${table} does not answer (${code ?? message}): see that it runs, then start again; it ` +
        'goes on from where it was',
      { cause: thrown },
    );
  if (code === readOnly)
    return new ConsumerError(
      'STORE_UNAVAILABLE',
      `Postgres with ${table} takes no writes now (${code}; a replica?): see that its primary can be reached, ` +
        'then start again; it goes on from where it was',
      { cause: thrown },
    );
  if (code === outOfDisk)
    return new ConsumerError(
      'STORE_FAILED',
      `Postgres has no space left on its disk for ${table}: make some, then start again; it goes on from where it was`,
      { cause: thrown },
    );
  return new ConsumerError(
    'STORE_FAILED',
    `Postgres does not do what ${table} needs (${code ?? 'no code'}: ${message}); nothing of this step counts`,
    { cause: thrown },
  );
}

function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const { code, errors } = thrown as Partial<DriverError>;
  if (typeof code === 'string') return code;
  // ECONNREFUSED on localhost comes once per address family.
  return errors?.map(codeOf).find((each) => each !== undefined);
}
