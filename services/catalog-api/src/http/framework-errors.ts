import { ApiError } from '../errors.ts';
import { toApiError } from './json-body.ts';
import { unknownPath } from './method-not-allowed.ts';

/** Fastify's own refusals, by its codes. What is not here is a defect and becomes a 500 without a word of it. */
const byCode: Readonly<Record<string, () => ApiError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new ApiError('BODY_TOO_LARGE', 'The body is larger than this path takes.', {
      headers: { connection: 'close' },
    }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new ApiError('MALFORMED_REQUEST', 'The body is not as long as Content-Length says.', {
      headers: { connection: 'close' },
    }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json.', {
      headers: { accept: 'application/json' },
    }),
  // Of QUERY alone, and where no route is: a path that has one answers the method first.
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: unknownPath,
  FST_ERR_BAD_URL: () =>
    new ApiError('MALFORMED_REQUEST', 'The path is not percent-encoded as RFC 3986 says.'),
};

/** Any error of a request as an answer: ours as it is, the framework's by its code, everything else as a 500 that tells nothing. */
export function asApiError(thrown: unknown): ApiError {
  const error = toApiError(thrown);
  if (error instanceof ApiError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' && Object.hasOwn(byCode, code) ? byCode[code] : undefined;
  if (known !== undefined) return known();
  // The body stream broke: nobody is left to read the answer.
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new ApiError('MALFORMED_REQUEST', 'The body ended too early.', { cause: error });
  return new ApiError(
    'INTERNAL_ERROR',
    'Something in the service failed. Tell its owners the flow id.',
    { cause: error },
  );
}
