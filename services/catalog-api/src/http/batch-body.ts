import { parseJson, requestLimits, type JsonLimits } from '@outbound/contract';
import { chunkSize } from '../catalog/bulk/write-chunk.ts';
import { ApiError } from '../errors.ts';
import { fairTurn } from './fair-turn.ts';
import { toApiError } from './json-body.ts';

/** One item of a batch: its text, which is JSON. */
export interface BatchItem {
  readonly text: string;
}

/** Most characters of one transaction. */
const maxChunkLength = 262_144;

/** Most items of one batch. */
export const maxBatchItems = 1_000;

/** Longest text of one item, in characters; more is no entity that could be published. */
export const maxItemLength = 262_144;

/**
 * Reads `{"items": [ … ]}` item by item. Broken syntax breaks the whole body, because nothing then says where
 * an item ends; what else may be wrong with its JSON is the item's own (`readItem`). Other requests have their turn between two items.
 *
 * It gives texts and not values, which are made of one chunk at a time: eight megabytes of small numbers are ninety as objects, and no more than a chunk's have to be there (I9).
 * @throws ApiError MALFORMED_JSON, VALIDATION_FAILED, BODY_TOO_LARGE
 */
export async function readBatch(
  text: string,
  limits: JsonLimits = requestLimits,
): Promise<readonly BatchItem[]> {
  const [start, end] = insideOf(text);
  const takeTurn = fairTurn();
  const items: BatchItem[] = [];
  for (const item of itemTexts(text, start, end)) {
    if (items.length === maxBatchItems)
      throw wrongShape(`expected 1 to ${maxBatchItems} items, not more`);
    if (item.length > maxItemLength)
      throw new ApiError(
        'BODY_TOO_LARGE',
        `Item ${items.length} of the batch is larger than ${maxItemLength} characters, or is not closed.`,
      );
    assertJson(item, limits);
    items.push({ text: item });
    await takeTurn();
  }
  if (items.length === 0) throw wrongShape(`expected 1 to ${maxBatchItems} items, not 0`);
  return items;
}

/**
 * Cuts a batch into what is done in one transaction: at most 100 items, and 256 Ki characters or one item, because a statement is built in one turn of the event loop.
 * The same items give the same chunks: their numbers are part of what an Idempotency-Key names.
 */
export function chunksOf(
  batch: readonly BatchItem[],
): readonly { readonly start: number; readonly items: readonly BatchItem[] }[] {
  const chunks: { start: number; items: BatchItem[] }[] = [];
  let length = 0;
  for (const [index, item] of batch.entries()) {
    const added = item.text.length;
    const chunk = chunks.at(-1);
    if (chunk !== undefined && chunk.items.length < chunkSize && length + added <= maxChunkLength) {
      chunk.items.push(item);
      length += added;
    } else {
      chunks.push({ start: index, items: [item] });
      length = added;
    }
  }
  return chunks;
}

/** Checks that there is an item, so that broken syntax is found before anything is written. What else is wrong with it is said when it is read for good. @throws ApiError MALFORMED_JSON */
function assertJson(text: string, limits: JsonLimits): void {
  try {
    JSON.parse(text);
  } catch {
    // Its own words would quote the text.
    try {
      parseJson(text, limits);
    } catch (error) {
      throw toApiError(error);
    }
    throw new ApiError('MALFORMED_JSON', 'The body is refused: an item is not JSON.');
  }
}

/** Where the inside of the array begins and ends. @throws ApiError VALIDATION_FAILED */
function insideOf(text: string): readonly [number, number] {
  const head = /^[ \t\r\n]*\{[ \t\r\n]*"items"[ \t\r\n]*:[ \t\r\n]*\[/.exec(text);
  const end = lastBefore(text, lastBefore(text, text.length, '}'), ']');
  if (head === null || end < head[0].length)
    throw wrongShape('expected an object with the one member "items", an array');
  return [head[0].length, end];
}

/** Where the character is that comes last before `end`, but for white space; -1 if it is another one. */
function lastBefore(text: string, end: number, char: string): number {
  let at = end - 1;
  while (at >= 0 && ' \t\r\n'.includes(text.charAt(at))) at -= 1;
  return text[at] === char ? at : -1;
}

/** Cuts the inside of an array at its own commas. Brackets that do not fit make a piece that the parser then refuses. */
function* itemTexts(text: string, from: number, end: number): Generator<string> {
  let depth = 0;
  let start = from;
  for (let at = from; at < end; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at, end);
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    else if (char === ',' && depth === 0) {
      yield text.slice(start, at);
      start = at + 1;
    }
  }
  const last = text.slice(start, end);
  // An array without items; behind a comma, nothing is an item that the parser refuses.
  if (start > from || last.trim() !== '') yield last;
}

function endOfString(text: string, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return end;
}

function wrongShape(message: string): ApiError {
  return new ApiError('VALIDATION_FAILED', `The body of a batch is wrong: ${message}.`, {
    violations: [{ in: 'body', pointer: '/items', message }],
  });
}
