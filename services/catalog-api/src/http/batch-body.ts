import { JsonTextError, parseJson, type JsonValue } from '@outbound/schemas';
import { ApiError } from '../errors.ts';
import { toApiError } from './json-body.ts';

/** One item of a batch: its value, or why its JSON is refused. */
export type BatchItem = { readonly value: JsonValue } | { readonly error: ApiError };

/** Most items of one batch. */
export const maxBatchItems = 1_000;

/**
 * Reads `{"items": [ … ]}` item by item: the limits of depth and keys are those of one item, and an item with a duplicate key
 * or a lone surrogate is refused alone and not with its neighbours. Broken syntax breaks the whole body, because nothing then says where
 * an item ends.
 * @throws ApiError MALFORMED_JSON, VALIDATION_FAILED
 */
export function readBatch(text: string): readonly BatchItem[] {
  const inner =
    /^[ \t\r\n]*\{[ \t\r\n]*"items"[ \t\r\n]*:[ \t\r\n]*\[([^]*)\][ \t\r\n]*\}[ \t\r\n]*$/.exec(
      text,
    )?.[1];
  if (inner === undefined)
    throw wrongShape('expected an object with the one member "items", an array');
  const texts = splitItems(inner);
  if (texts.length === 0 || texts.length > maxBatchItems)
    throw wrongShape(`expected 1 to ${maxBatchItems} items, not ${texts.length}`);
  return texts.map((item) => {
    try {
      return { value: parseJson(item) };
    } catch (error) {
      const refused = toApiError(error);
      if (
        !(refused instanceof ApiError) ||
        (error instanceof JsonTextError && error.code === 'JSON_SYNTAX')
      )
        throw refused;
      return { error: refused };
    }
  });
}

/** Cuts the inside of an array at its own commas. Brackets that do not fit make a piece that the parser then refuses. */
function splitItems(inner: string): readonly string[] {
  if (inner.trim() === '') return [];
  const items: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < inner.length; at++) {
    const char = inner[at];
    if (char === '"') at = endOfString(inner, at);
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    else if (char === ',' && depth === 0) {
      items.push(inner.slice(start, at));
      start = at + 1;
      // One more than allowed is enough to refuse it.
      if (items.length > maxBatchItems) return items;
    }
  }
  items.push(inner.slice(start));
  return items;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

function wrongShape(message: string): ApiError {
  return new ApiError('VALIDATION_FAILED', `The body of a batch is wrong: ${message}.`, {
    violations: [{ in: 'body', pointer: '/items', message }],
  });
}
