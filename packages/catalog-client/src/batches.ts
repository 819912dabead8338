import { RefusedError } from './refused-error.ts';
import type { Send } from './repeat-exchange.ts';

/** What became of one item of a batch. */
export interface ItemResult {
  /** Place among all items, from 0. */
  readonly index: number;
  readonly status: number;
  readonly id?: string;
  readonly etag?: string;
  readonly problem?: {
    readonly type: string;
    readonly title: string;
    readonly detail: string;
    readonly violations?: unknown;
  };
  /** It was done by an earlier request under the same key. */
  readonly wasBefore: boolean;
}

/** A stream of items to a batch route. */
export interface BatchRequest {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Of the batch route, such as `https://catalog.example.com/products/batch`. */
  readonly url: string;
  /** Each an object, or its JSON text, in which no digit is lost. */
  readonly items: Iterable<unknown> | AsyncIterable<unknown>;
  /** Idempotency-Key; the batches have it with their numbers. The same key and items, and nothing is done twice, in another process too. Random by default. */
  readonly key?: string;
  /** Most items of a batch: 1,000, which is what the API takes. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** Most characters of a batch, well below what the API takes. */
const maxBatchLength = 4 * 1_024 * 1_024;

/**
 * Sends items in batches, one after the other, and gives what became of each, in their order; no more than one batch is held. Items that meet a passing fault (429, 503) are sent again with
 * their batch, under its key, as long as `send` has patience; then they are told as they are. A batch that is too large for the API, or for somebody on the way, goes in halves.
 * @throws RefusedError for an answer that no repetition changes; what `send` throws
 */
export async function* sendBatches(
  send: Send,
  { items, key = crypto.randomUUID(), batchSize = 1_000, ...request }: BatchRequest,
): AsyncGenerator<ItemResult, void, undefined> {
  let batch: string[] = [];
  let length = 0;
  let start = 0;
  let number = 0;
  const flush = async (): Promise<readonly ItemResult[]> => {
    const results = await sendBatch(send, { ...request, texts: batch, key: `${key}.${number}` });
    const told = results.map((each) => ({ ...each, index: start + each.index }));
    start += batch.length;
    number += 1;
    batch = [];
    length = 0;
    return told;
  };
  for await (const item of items) {
    const text = typeof item === 'string' ? item : JSON.stringify(item);
    if (batch.length > 0 && (batch.length >= batchSize || length + text.length > maxBatchLength))
      yield* await flush();
    batch.push(text);
    length += text.length;
  }
  if (batch.length > 0) yield* await flush();
}

/** One batch; see `sendBatches`. */
export async function sendBatch(
  send: Send,
  request: {
    readonly method: BatchRequest['method'];
    readonly url: string;
    /** JSON texts. */
    readonly texts: readonly string[];
    readonly key: string;
    readonly signal?: AbortSignal;
  },
): Promise<readonly ItemResult[]> {
  const { method, url, texts, key, signal } = request;
  const { status, headers, text } = await send({
    method,
    url,
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: `{"items":[${texts.join(',')}]}`,
    ...(signal === undefined ? {} : { signal }),
  });
  // Each half is tried in full first: what another batch was told must not change the keys of this one, or a run that goes on would not know what it has done.
  if (status === 413 && texts.length > 1) {
    const half = Math.ceil(texts.length / 2);
    const first = await sendBatch(send, {
      ...request,
      texts: texts.slice(0, half),
      key: `${key}.1`,
    });
    const second = await sendBatch(send, { ...request, texts: texts.slice(half), key: `${key}.2` });
    return [...first, ...second.map((each) => ({ ...each, index: half + each.index }))];
  }
  if (status === 413) return [tooLarge(text)];
  if (status !== 207) throw new RefusedError(`${method} ${url}`, status, text);
  const results = readResults(text, texts.length);
  if (results === undefined)
    throw new RefusedError(`${method} ${url}`, 207, 'it does not say what became of each item');
  const wasBefore = repeatedItems(headers.get('idempotent-replayed'));
  return results.map((each) => ({ ...each, wasBefore: wasBefore(each.index) }));
}

/** An item that is too large alone is that item's fault and not its neighbours'. */
function tooLarge(text: string): ItemResult {
  const problem = { type: 'about:blank', title: 'The item is too large', detail: '' };
  try {
    Object.assign(problem, JSON.parse(text));
  } catch {
    // A proxy's page; its status says enough.
  }
  return { index: 0, status: 413, problem, wasBefore: false };
}

/** The results, if the text tells of every one of `count` items once: else it is no answer of this API, whatever its status. */
function readResults(
  text: string,
  count: number,
): readonly Omit<ItemResult, 'wasBefore'>[] | undefined {
  let answer: { readonly items?: unknown } | null;
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    return undefined;
  }
  if (!Array.isArray(answer?.items) || answer.items.length !== count) return undefined;
  const items = answer.items as readonly Omit<ItemResult, 'wasBefore'>[];
  const told = new Set<number>();
  for (const item of items)
    if (Number.isInteger(item?.status) && Number.isInteger(item.index) && item.index < count)
      told.add(item.index);
  return told.size === count ? [...items].sort((a, b) => a.index - b.index) : undefined;
}

/** Whether a value tells what became of an item. */
export function isItemResult(value: object): value is Omit<ItemResult, 'index' | 'wasBefore'> {
  return 'status' in value && Number.isInteger(value.status);
}

/** Which items were answered before, of `Idempotent-Replayed: 0-99,200-299`. */
function repeatedItems(header: string | null): (index: number) => boolean {
  const ranges = Array.from((header ?? '').matchAll(/(\d+)-(\d+)/g), ([, first, last]) => [
    Number(first),
    Number(last),
  ]);
  return (index) => ranges.some(([first = 0, last = -1]) => index >= first && index <= last);
}
