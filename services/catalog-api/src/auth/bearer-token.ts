import { tokenMisplaced, tokenRefused, tokenRequired } from './refusals.ts';

/** Longest token, in characters; the signature of a longer one is not looked at. */
export const maxTokenLength = 8_192;

/**
 * The token of a request, from its one Authorization header (RFC 6750 2.1); whether it is any good is not looked at.
 * @param rawHeaders names and values by turns, as Node gives them: of several Authorization headers `headers` shows the first alone.
 * @param query of the URL, where a token would end in the logs of proxies: refused (RFC 9700 2.2.2 forbids it).
 * @throws ApiError UNAUTHENTICATED, MALFORMED_REQUEST
 */
export function readBearerToken(rawHeaders: readonly string[], query: unknown): string {
  if (typeof query === 'object' && query !== null && Object.hasOwn(query, 'access_token'))
    throw tokenMisplaced(
      'A token in the URL is not taken, since URLs are logged on their way. Send it in the header Authorization.',
    );
  let value: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length !== 'authorization'.length || name.toLowerCase() !== 'authorization') continue;
    if (value !== undefined) throw tokenMisplaced('Send one Authorization header, not several.');
    value = rawHeaders[at + 1] ?? '';
  }
  if (value === undefined || !/^bearer(?: |$)/i.test(value)) throw tokenRequired();
  const token = value.slice('bearer'.length).trimStart();
  if (token.length > maxTokenLength) throw tokenRefused(new Error('the token is too long'));
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token))
    throw tokenRefused(new Error('the token is no b64token'));
  return token;
}
