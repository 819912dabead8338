import type { ApiError, ApiErrorCode, Violation } from '../errors.ts';

/** Media type of every error body. Source: RFC 9457. */
export const problemMediaType = 'application/problem+json';

/** The error body. Source: RFC 9457, Zalando rule 176; `flow_id` and `violations` are our extension members. */
export interface Problem {
  /** Relative and never resolved (rule 176): `/problems/precondition-failed`. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Names this one occurrence: the flow id, by which the logs are searched. */
  readonly instance: string;
  readonly flow_id: string;
  readonly violations?: readonly Violation[];
}

/** Status and title per code: the only place where an error gets a status. */
export const problemKinds: Readonly<
  Record<ApiErrorCode, { readonly status: number; readonly title: string }>
> = {
  MALFORMED_REQUEST: { status: 400, title: 'The HTTP request is malformed' },
  MALFORMED_JSON: { status: 400, title: 'The body is not acceptable JSON' },
  VALIDATION_FAILED: { status: 400, title: 'The request breaks the schema' },
  INVALID_ID: { status: 400, title: 'The id is not a UUID' },
  INVALID_CURSOR: { status: 400, title: 'The cursor is not one of this list' },
  INVALID_HEADER: { status: 400, title: 'A header is not acceptable' },
  IDEMPOTENCY_KEY_REUSED: { status: 400, title: 'The Idempotency-Key belongs to another request' },
  UNAUTHENTICATED: { status: 401, title: 'A valid access token is required' },
  INSUFFICIENT_SCOPE: { status: 403, title: 'The access token does not grant this' },
  UNKNOWN_PATH: { status: 404, title: 'There is nothing at this path' },
  NOT_FOUND: { status: 404, title: 'The resource does not exist' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not allowed here' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time' },
  CONFLICT: { status: 409, title: 'The resource conflicts with another one' },
  REFERENCED: { status: 409, title: 'Other resources refer to this one' },
  PRECONDITION_FAILED: { status: 412, title: 'The precondition does not hold' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  EVENT_TOO_LARGE: { status: 413, title: 'The resource is too large to be published' },
  URI_TOO_LONG: { status: 414, title: 'The URL is too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The media type is not supported' },
  EXPECTATION_FAILED: { status: 417, title: 'The expectation cannot be met' },
  PRECONDITION_REQUIRED: { status: 428, title: 'A precondition is required' },
  TOO_MANY_REQUESTS: { status: 429, title: 'The caller sends too many requests' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  INTERNAL_ERROR: { status: 500, title: 'The service failed' },
  METHOD_NOT_IMPLEMENTED: { status: 501, title: 'The method is not implemented' },
  UNAVAILABLE: { status: 503, title: 'The database is not available' },
  KEYS_UNAVAILABLE: { status: 503, title: 'Tokens cannot be checked' },
  OVERLOADED: { status: 503, title: 'The service is overloaded' },
  WRITE_CONFLICT: { status: 503, title: 'Concurrent changes collided' },
  OUTCOME_UNKNOWN: { status: 503, title: 'The outcome of the change is unknown' },
  SHUTTING_DOWN: { status: 503, title: 'The service is stopping' },
};

/** `STALE_VERSION` gives `/problems/stale-version`. */
export function problemType(code: ApiErrorCode): string {
  return `/problems/${code.toLowerCase().replaceAll('_', '-')}`;
}

/** The body that tells a caller about an error. */
export function toProblem(error: ApiError, flowId: string): Problem {
  const { status, title } = problemKinds[error.code];
  return {
    type: problemType(error.code),
    title,
    status,
    detail: error.message,
    instance: `urn:flow:${encodeURIComponent(flowId)}`,
    flow_id: flowId,
    ...(error.violations === undefined ? {} : { violations: error.violations }),
  };
}

/** Headers that go with the body; `Retry-After` wherever the code says when to come back. */
export function problemHeaders(error: ApiError): Record<string, string> {
  return {
    'content-type': problemMediaType,
    'cache-control': 'no-store',
    ...(error.retryAfterSeconds === undefined
      ? {}
      : { 'retry-after': String(error.retryAfterSeconds) }),
    ...error.headers,
  };
}
