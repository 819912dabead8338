import { ApiError } from '../errors.ts';

/** Media types of request bodies. */
export const jsonMediaType = 'application/json';
export const mergePatchMediaType = 'application/merge-patch+json';
/** Lines of JSON, of any number: streams. */
export const ndjsonMediaType = 'application/x-ndjson';
export type BodyMediaType =
  typeof jsonMediaType | typeof mergePatchMediaType | typeof ndjsonMediaType;

/**
 * Refuses a body that we would misread: another media type, another charset than UTF-8, or compressed (what expands is a bomb waiting, unless it is a stream, of which
 * little is there at a time).
 * @throws ApiError UNSUPPORTED_MEDIA_TYPE, with `Accept` (RFC 9110 15.5.16) or, for a merge patch, `Accept-Patch` (RFC 5789 2.2).
 */
export function assertMediaType(
  accepted: BodyMediaType,
  headers: {
    readonly 'content-type'?: string | undefined;
    readonly 'content-encoding'?: string | undefined;
  },
): void {
  const acceptHeader = accepted === mergePatchMediaType ? 'accept-patch' : 'accept';
  const refuse = (why: string, extra: Readonly<Record<string, string>>): never => {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', why, { headers: extra });
  };
  const encoding = codingOf(headers);
  if (accepted === ndjsonMediaType) {
    if (encoding !== 'identity' && !isGzipped(headers))
      refuse('Content-Encoding: send the body as it is, or as gzip.', {
        'accept-encoding': 'gzip, identity',
      });
  } else if (encoding !== 'identity')
    refuse('Content-Encoding is not supported: send the body as it is.', {
      'accept-encoding': 'identity',
    });
  const contentType = headers['content-type'];
  // Without a Content-Type and without a body the answer is about the body.
  if (contentType === undefined) return;
  const [essence, ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (essence !== accepted) refuse(`Send the body as ${accepted}.`, { [acceptHeader]: accepted });
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '');
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')
    refuse('JSON is UTF-8 (RFC 8259 8.1): send charset=utf-8 or none.', {
      [acceptHeader]: accepted,
    });
}

/** Whether the body is gzip, which a stream may be (Zalando rule 156). */
export function isGzipped(headers: { readonly 'content-encoding'?: string | undefined }): boolean {
  return ['gzip', 'x-gzip'].includes(codingOf(headers));
}

function codingOf(headers: { readonly 'content-encoding'?: string | undefined }): string {
  return headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
}
