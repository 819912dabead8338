import { isUtf8 } from 'node:buffer';
import {
  JsonTextError,
  maxJsonDepth,
  maxJsonKeys,
  parseJson,
  type JsonValue,
} from '@outbound/contract';
import { ApiError } from '../errors.ts';

/**
 * The text of a body. @throws ApiError MALFORMED_JSON if it is empty or not UTF-8: a lenient decoder would store U+FFFD where the
 * caller sent something else.
 */
export function readBodyText(bytes: Uint8Array): string {
  if (bytes.length === 0)
    throw new ApiError('MALFORMED_JSON', 'The body is empty. Send a JSON object.');
  if (!isUtf8(bytes)) throw new ApiError('MALFORMED_JSON', 'The body is not UTF-8.');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/**
 * Reads one JSON text without losing a digit (see `parseJson`, which also sets the limits of depth and, if none is given, of keys).
 * @throws ApiError MALFORMED_JSON
 */
export function readJson(text: string, maxKeys: number = maxJsonKeys): JsonValue {
  try {
    return parseJson(text, { depth: maxJsonDepth, keys: maxKeys });
  } catch (error) {
    throw toApiError(error);
  }
}

/** What is wrong with a JSON text, as an answer; other errors pass through. */
export function toApiError(error: unknown): unknown {
  if (!(error instanceof JsonTextError)) return error;
  return new ApiError('MALFORMED_JSON', `The body is refused: ${error.message}.`, {
    violations: [{ in: 'body', pointer: error.pointer, message: error.message }],
  });
}
