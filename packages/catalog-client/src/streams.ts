import { isItemResult, type BatchRequest, type ItemResult } from './batches.ts';
import { ndjsonLines } from './ndjson-lines.ts';
import { RefusedError } from './refused-error.ts';
import {
  createSender,
  type Authorize,
  type Exchange,
  type RetryOptions,
} from './repeat-exchange.ts';
import { isPassing } from './retry-plan.ts';

/** Every live entity of a list, or those that filters leave, and from where the topic goes on. */
export interface CatalogExport<Item> {
  /** Position in the log: every change committed before it is in the export. */
  readonly position: string;
  /** When the snapshot was taken, RFC 3339. */
  readonly at: string;
  /** The line that says so, as the API wrote it. */
  readonly head: string;
  /**
   * The entities by id. A stream that breaks off goes on behind the last one that came, in a snapshot of its own; the position stays the first one, as it must (docs/api.md, "Export").
   * @throws RefusedError, NoAnswerError
   */
  readonly items: AsyncGenerator<Item, void, undefined>;
}

/** An entity as the API wrote it: every digit is there. */
export interface ExportedText {
  readonly id: string;
  /** JSON, one line without its end. */
  readonly text: string;
}

/** An answer that is read as it comes. */
interface OpenStream {
  readonly lines: AsyncIterator<string, void, undefined>;
}

/** Opens streams as `createSender` sends: again, until one begins. */
type Open = (exchange: Omit<Exchange, 'body'>, body?: BodyOf) => Promise<OpenStream>;
/** A body for each try. */
type BodyOf = () => ReadableStream<Uint8Array>;

/** How streams are opened, with the retries of the client. */
export function createOpener(retry: RetryOptions, authorize: Authorize): Open {
  return async (exchange, body) => {
    let opened: ReadableStream<Uint8Array> | undefined;
    const send = createSender(
      {
        ...retry,
        // The time of one try is that until it begins to answer: a stream may take as long as it likes, as long as something comes.
        transport: async ({ url, method, headers, signal }) => {
          const begun = new AbortController();
          const giveUp = (): void => begun.abort(signal?.reason);
          signal?.addEventListener('abort', giveUp);
          const answer = await fetch(url, {
            method,
            headers,
            signal:
              exchange.signal === undefined
                ? begun.signal
                : AbortSignal.any([begun.signal, exchange.signal]),
            ...(body === undefined ? {} : { body: body(), duplex: 'half' }),
          });
          signal?.removeEventListener('abort', giveUp);
          const { status, headers: answered } = answer;
          const isStream =
            answered.get('content-type')?.startsWith('application/x-ndjson') ?? false;
          if (!isStream || answer.body === null)
            return { status, headers: answered, text: await answer.text() };
          opened = answer.body as ReadableStream<Uint8Array>;
          return { status, headers: answered, text: '' };
        },
      },
      authorize,
    );
    const { status, text } = await send(exchange);
    if (opened === undefined)
      throw new RefusedError(`${exchange.method} ${new URL(exchange.url).pathname}`, status, text);
    return { lines: ndjsonLines(opened) };
  };
}

/** The next line as an object, and its text; undefined at the end, and where the stream broke. */
async function nextLine({ lines }: OpenStream, signal: AbortSignal | undefined) {
  try {
    const { value } = await lines.next();
    return value === undefined ? undefined : { line: JSON.parse(value) as Line, text: value };
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}
interface Line {
  readonly export?: { readonly position: string; readonly at: string };
  readonly end?: { readonly count?: number };
  readonly problem?: { readonly status: number };
  readonly id?: string;
  readonly line?: number;
  readonly status?: number;
}

/** Streams that may break off one after the other without anything new. */
const maxFruitless = 5;

/** What of an export is wanted, and how. */
export interface ExportRequest<Item> {
  /** Of the export, such as `https://catalog.example.com/products/export`, with its filters. */
  readonly url: string;
  /** Goes on behind this id: the last that came of an export that ended before its end. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly toItem: (exported: ExportedText & { readonly value: unknown }) => Item;
}

/** Opens an export. @throws RefusedError, NoAnswerError */
export async function openExport<Item>(
  open: Open,
  { url, after: firstAfter, signal, toItem }: ExportRequest<Item>,
): Promise<CatalogExport<Item>> {
  const from = async (after: string | undefined) => {
    const target = new URL(url);
    if (after !== undefined) target.searchParams.set('after', after);
    return open({
      method: 'GET',
      url: target.href,
      headers: {},
      ...(signal === undefined ? {} : { signal }),
    });
  };
  const begin = async (after: string | undefined) => {
    for (let fruitless = 1; ; fruitless += 1) {
      const stream = await from(after);
      const first = await nextLine(stream, signal);
      const begun = first?.line.export;
      if (first !== undefined && begun !== undefined) return { stream, begun, head: first.text };
      await stream.lines.return?.();
      if (fruitless >= maxFruitless) throw brokenOff('GET', url);
    }
  };
  const { stream, begun, head } = await begin(firstAfter);
  return {
    ...{ position: begun.position, at: begun.at, head },
    items: itemsOf(stream, begin, { url, after: firstAfter, signal, toItem }),
  };
}

async function* itemsOf<Item>(
  first: OpenStream,
  begin: (after: string | undefined) => Promise<{ readonly stream: OpenStream }>,
  { url, after: firstAfter, signal, toItem }: ExportRequest<Item>,
): AsyncGenerator<Item, void, undefined> {
  let stream = first;
  let after = firstAfter;
  for (let fruitless = 1; ;) {
    let count = 0;
    try {
      for (;;) {
        const next = await nextLine(stream, signal);
        if (next?.line.end !== undefined && next.line.end.count === count) return;
        if (next?.line.id === undefined) break;
        const { line: value, text } = next;
        count += 1;
        after = next.line.id;
        yield toItem({ id: after, text, value });
      }
    } finally {
      await stream.lines.return?.();
    }
    fruitless = count > 0 ? 1 : fruitless + 1;
    if (fruitless > maxFruitless) throw brokenOff('GET', url);
    ({ stream } = await begin(after));
  }
}

/** A stream of items to an import route. */
export interface ImportRequest extends Pick<BatchRequest, 'key' | 'signal'> {
  readonly method: 'POST' | 'PUT' | 'PATCH';
  /** Such as `https://catalog.example.com/products/import`. */
  readonly url: string;
  /** Gives all items anew each time: an import that broke off is sent again from its beginning. Each an object, or its JSON text on one line. */
  readonly items: () => Iterable<unknown> | AsyncIterable<unknown>;
}

/**
 * Sends any number of items in one request and gives what became of each as the answers come, in order. A stream that breaks off is sent again under its key, so that nothing is
 * done twice; no outcome is given twice either.
 * @throws RefusedError for what no repetition changes; NoAnswerError
 */
export async function* sendImport(
  open: Open,
  { method, url, items, key = crypto.randomUUID(), signal }: ImportRequest,
): AsyncGenerator<ItemResult, void, undefined> {
  let told = 0;
  for (let fruitless = 1; ;) {
    const toldBefore = told;
    const stream = await open(
      {
        method,
        url,
        headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': key },
        ...(signal === undefined ? {} : { signal }),
      },
      () => ReadableStream.from(encoded(items())),
    );
    try {
      for (;;) {
        const line = (await nextLine(stream, signal))?.line;
        if (line?.end !== undefined) return;
        if (line?.line === undefined || !isItemResult(line)) {
          const status = line?.problem?.status;
          if (status !== undefined && !isPassing(status))
            throw new RefusedError(
              `${method} ${new URL(url).pathname}`,
              status,
              JSON.stringify(line?.problem),
            );
          break;
        }
        if (line.line <= told) continue;
        told = line.line;
        yield { ...line, index: line.line - 1, wasBefore: false };
      }
    } finally {
      await stream.lines.return?.();
    }
    fruitless = told > toldBefore ? 1 : fruitless + 1;
    if (fruitless > maxFruitless) throw brokenOff(method, url);
  }
}

async function* encoded(
  items: Iterable<unknown> | AsyncIterable<unknown>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let text = '';
  for await (const item of items) {
    text += `${typeof item === 'string' ? item : JSON.stringify(item)}\n`;
    if (text.length < 16_384) continue;
    yield encoder.encode(text);
    text = '';
  }
  if (text !== '') yield encoder.encode(text);
}

function brokenOff(method: string, url: string): RefusedError {
  return new RefusedError(
    `${method} ${new URL(url).pathname}`,
    200,
    `and breaks off each time, ${maxFruitless} times without anything new`,
  );
}
