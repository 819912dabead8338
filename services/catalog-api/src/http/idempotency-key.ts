import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';

/**
 * Says that an answer was given before under its Idempotency-Key and that nothing was done now: `true`, or of a batch the indexes of its first and
 * last item, `0-99,200-299`.
 */
export const repeatedHeader = 'idempotent-replayed';

/** Longest Idempotency-Key, in characters. */
export const maxKeyLength = 255;

/**
 * Reads an Idempotency-Key: 1 to 255 visible ASCII characters, taken as they are. Source: Zalando rule 230.
 * @throws ApiError INVALID_HEADER
 */
export function readIdempotencyKey(
  text: string | readonly string[] | undefined,
): string | undefined {
  if (text === undefined) return undefined;
  if (typeof text === 'string' && /^[\x21-\x7e]+$/.test(text) && text.length <= maxKeyLength)
    return text;
  const message = `expected 1 to ${maxKeyLength} visible ASCII characters`;
  throw new ApiError(
    'INVALID_HEADER',
    `Idempotency-Key: ${message}. Use a random UUID for each new request.`,
    { violations: [{ in: 'header', pointer: '/idempotency-key', message }] },
  );
}

/** What tells two bodies under one key apart: SHA-256 over the bytes as they came (32 bytes). */
export function requestHash(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest();
}
