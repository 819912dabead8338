import { PipelineError } from '@outbound/service-kit';

/**
 * Why a request was not done. Each code is one problem type on the wire (`http/problem.ts` holds status and title), so this list is
 * the list of everything a caller can be told.
 */
export const apiErrorCodes = [
  /** The HTTP message itself is broken: request line, header syntax, escapes in the path, missing Host. */
  'MALFORMED_REQUEST',
  /** The body is not one JSON text in UTF-8, or uses JSON that two readers would read differently. */
  'MALFORMED_JSON',
  /** A field or parameter breaks the schema; `violations` names each. */
  'VALIDATION_FAILED',
  /** An id, in the path or of an item of a batch, is not a UUID. */
  'INVALID_ID',
  /** The cursor was not made by this list with these filters. */
  'INVALID_CURSOR',
  /** A header that steers the request (If-Match, Idempotency-Key, X-Flow-ID) has a value that means nothing. */
  'INVALID_HEADER',
  /** The same Idempotency-Key came with another request. */
  'IDEMPOTENCY_KEY_REUSED',
  /** There is no access token, or it is not accepted. */
  'UNAUTHENTICATED',
  /** The access token does not grant the scope that this needs. */
  'INSUFFICIENT_SCOPE',
  /** No such path. */
  'UNKNOWN_PATH',
  /** No such entity, or it was deleted. */
  'NOT_FOUND',
  /** The path exists, the method does not. */
  'METHOD_NOT_ALLOWED',
  /** The request did not arrive in time. */
  'REQUEST_TIMEOUT',
  /** Another live entity has the same unique key. */
  'CONFLICT',
  /** Other live entities refer to it, so it cannot go or take another name. */
  'REFERENCED',
  /** If-Match or If-None-Match does not fit the entity as it is now. */
  'PRECONDITION_FAILED',
  /** The body is larger than the route takes. */
  'BODY_TOO_LARGE',
  /** The entity is larger than an event may be, so it could never be published. */
  'EVENT_TOO_LARGE',
  'URI_TOO_LONG',
  'UNSUPPORTED_MEDIA_TYPE',
  'EXPECTATION_FAILED',
  /** A change of an existing entity must say which version it changes. */
  'PRECONDITION_REQUIRED',
  /** The caller sends more than one caller may. Nothing was written. */
  'TOO_MANY_REQUESTS',
  'HEADERS_TOO_LARGE',
  /** A defect of ours. Nothing was written. */
  'INTERNAL_ERROR',
  'METHOD_NOT_IMPLEMENTED',
  /** The database cannot be reached or does not answer in time. Nothing was written. */
  'UNAVAILABLE',
  /** The keys of the token issuer cannot be had, so no token can be checked. Nothing was written. */
  'KEYS_UNAVAILABLE',
  /** More requests wait for a connection than the queue holds. Nothing was written. */
  'OVERLOADED',
  /** Concurrent changes kept colliding. Nothing was written. */
  'WRITE_CONFLICT',
  /** The connection was lost while the change was being committed: it may or may not have been made (I10). */
  'OUTCOME_UNKNOWN',
  /** This instance is stopping; another one answers. */
  'SHUTTING_DOWN',
] as const;
export type ApiErrorCode = (typeof apiErrorCodes)[number];

/** One field or parameter that is wrong, and why. */
export interface Violation {
  /** Where the wrong value was. */
  readonly in: 'body' | 'query' | 'path' | 'header';
  /** JSON Pointer (RFC 6901) in the body, or `/<name>` of the parameter or header. */
  readonly pointer: string;
  readonly message: string;
}

/** Facts that travel with an error, each only where it applies. */
export interface ApiErrorDetails extends ErrorOptions {
  readonly violations?: readonly Violation[];
  /** Seconds; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Response headers that the status requires, such as `allow`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer other than success. The message goes to the caller as `detail`, so it never quotes SQL, a payload or a secret. */
export class ApiError extends PipelineError<ApiErrorCode> {
  readonly violations: readonly Violation[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(code: ApiErrorCode, message: string, details: ApiErrorDetails = {}) {
    super(code, message, details);
    this.violations = details.violations;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.headers = details.headers ?? {};
  }
}
