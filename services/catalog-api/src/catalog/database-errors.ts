import { connectionFault } from '@outbound/service-kit';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';

/** What a driver's error says, wherever in the chain of causes (drizzle wraps the driver's) it is. */
interface DriverFacts {
  /** SQLSTATE, a Node code such as ECONNREFUSED, or one of our own codes. */
  readonly code: string | undefined;
  readonly constraint: string | undefined;
  readonly message: string;
  /** The connection, and no answer of the server: see `connectionFault`. */
  readonly isConnection: boolean;
}

/** No connection, or not any more: also one that was refused, since the login is nothing that a caller can mend. */
const connectionLost = /^(08...|28...|3D000|57P0[1-5])$/;
/** pg gives these no code. */
const connectionLostMessage =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;
/** Timeouts of ours, too many connections, no disk, read-only server after a failover: the same request may pass later. */
const notNow = /^(53...|55P03|57014|25006|25P0[34]|40...)$/;

/**
 * Turns what the database said into an answer; what it does not know passes through and becomes a 500. Whether a change that failed may have been made all the
 * same is known to `inTransaction` alone, which says so by OUTCOME_UNKNOWN: the answer must not claim then that it was not (I10).
 */
export function fromDatabaseError(error: unknown, aggregate: Aggregate | undefined): unknown {
  for (const cause of causes(error)) {
    // Ours may come wrapped too: drizzle wraps what the pool threw.
    if (cause instanceof ApiError) return cause;
    const known = translate(factsOf(cause), error, aggregate);
    if (known !== undefined) return known;
  }
  return error;
}

function translate(
  { code, constraint, message, isConnection }: DriverFacts,
  cause: unknown,
  aggregate: Aggregate | undefined,
): ApiError | undefined {
  const state = code ?? '';
  if (state === 'OUTCOME_UNKNOWN')
    return new ApiError(
      'OUTCOME_UNKNOWN',
      'The connection to the database was lost while the change was committed: it may or may not have been made. Repeat the request with the same Idempotency-Key, or without one with the same precondition.',
      { cause, retryAfterSeconds: 1 },
    );
  if (isConnection || connectionLost.test(state) || connectionLostMessage.test(message))
    return new ApiError(
      'UNAVAILABLE',
      'The database cannot be reached, or has no connection free in time. Nothing was written; try again.',
      { cause, retryAfterSeconds: 1 },
    );
  if (state === 'WRITE_CONFLICT')
    return new ApiError(
      'WRITE_CONFLICT',
      'Concurrent changes collided. Nothing was written; try again.',
      { cause, retryAfterSeconds: 1 },
    );
  if (notNow.test(state))
    return new ApiError(
      'UNAVAILABLE',
      'The database does not answer in time. Nothing was written; try again.',
      { cause, retryAfterSeconds: 1 },
    );
  if (state === 'EVENT_TOO_LARGE')
    return new ApiError(
      'EVENT_TOO_LARGE',
      'The resource is larger than an event may be (900 KiB), so its change could never be published. Make it smaller.',
      { cause },
    );
  if (state === '23505') {
    const field = aggregate?.uniqueKeys.find(({ index }) => index === constraint)?.field;
    return aggregate === undefined || field === undefined
      ? undefined
      : uniqueConflict(aggregate, field, { cause });
  }
  if (state === '23514' && aggregate !== undefined) {
    const refusal = referenceRefusal(aggregate, constraint, message, cause);
    if (refusal !== undefined) return refusal;
  }
  // The schema refuses these before; if one passes, it is still the value that is wrong and not the service.
  if (state.startsWith('22') || state === '23514')
    return new ApiError('VALIDATION_FAILED', 'The database refuses a value of the request.', {
      cause,
    });
  return undefined;
}

/** Another live entity has this unique field. The message does not quote the value. */
export function uniqueConflict(
  aggregate: Aggregate,
  field: string,
  options: ErrorOptions = {},
): ApiError {
  return new ApiError('CONFLICT', `Another ${aggregate.name} has this ${field}.`, {
    ...options,
    violations: [{ in: 'body', pointer: `/${field}`, message: 'is taken' }],
  });
}

/** What a trigger that holds references says. Its message counts those that refer and names the first by its id. */
function referenceRefusal(
  { name, references }: Aggregate,
  constraint: string | undefined,
  message: string,
  cause: unknown,
): ApiError | undefined {
  const to = references.to.find((each) => each.constraint === constraint);
  if (to !== undefined)
    return new ApiError(
      'VALIDATION_FAILED',
      `There is no ${to.kind} with this ${to.kindField}. Create it first.`,
      {
        cause,
        violations: [
          {
            in: 'body',
            pointer: `/${to.field}`,
            message: `is the ${to.kindField} of no ${to.kind}`,
          },
        ],
      },
    );
  const from = references.from.find((each) => each.constraint === constraint);
  if (from === undefined) return undefined;
  return new ApiError(
    'REFERENCED',
    `The ${name} cannot go, nor its ${from.field} change: ${message}. Change or delete those first.`,
    { cause },
  );
}

function* causes(error: unknown): Generator<Error> {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    yield current;
    // ECONNREFUSED on localhost comes once per address family, inside an AggregateError.
    const inner: unknown = current instanceof AggregateError ? current.errors[0] : undefined;
    current = current.cause ?? inner;
  }
}

function factsOf(error: Error): DriverFacts {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return {
    code: typeof code === 'string' ? code : undefined,
    constraint: typeof constraint === 'string' ? constraint : undefined,
    message: error.message,
    isConnection: connectionFault(error) !== undefined,
  };
}
