import { ApiError } from '../errors.ts';

/*
 * Answers to who may not. Each says in WWW-Authenticate what RFC 6750 3 wants; why a token is not accepted stays with us, but for its expiry,
 * which only the holder of a token with a good signature is told.
 */

const realm = 'Bearer realm="catalog"';

/** 401 to a request without a token: no error code, as RFC 6750 3.1 wants. */
export function tokenRequired(): ApiError {
  return new ApiError(
    'UNAUTHENTICATED',
    'Send an access token: Authorization: Bearer and the token.',
    { headers: { 'www-authenticate': realm } },
  );
}

/** 401 to a token that is not accepted. @param cause for the log; what it says reaches no caller. */
export function tokenRefused(cause: unknown, { isExpired = false } = {}): ApiError {
  return isExpired
    ? new ApiError('UNAUTHENTICATED', 'The access token has expired. Get a new one.', {
        cause,
        headers: {
          'www-authenticate': `${realm}, error="invalid_token", error_description="The access token expired"`,
        },
      })
    : new ApiError('UNAUTHENTICATED', 'The access token is not accepted. Get a new one.', {
        cause,
        headers: { 'www-authenticate': `${realm}, error="invalid_token"` },
      });
}

/** 400 to a request that gives a token in a way in which none is taken. */
export function tokenMisplaced(message: string): ApiError {
  return new ApiError('MALFORMED_REQUEST', message, {
    headers: { 'www-authenticate': `${realm}, error="invalid_request"` },
  });
}

/** 403 to a principal without the scope, which is named. */
export function scopeMissing(scope: string): ApiError {
  return new ApiError(
    'INSUFFICIENT_SCOPE',
    `This needs the scope ${scope}, which the access token does not grant.`,
    { headers: { 'www-authenticate': `${realm}, error="insufficient_scope", scope="${scope}"` } },
  );
}

/** 503: whether the token is good cannot be known, because the issuer's keys cannot be had. */
export function keysUnavailable(cause: unknown): ApiError {
  return new ApiError(
    'KEYS_UNAVAILABLE',
    "The keys of the token's issuer cannot be had, so no token can be checked. Nothing was written; try again.",
    { cause, retryAfterSeconds: 5 },
  );
}
