import type { Send } from './repeat-exchange.ts';

/** Statuses whose answer has no body (Fetch Standard, "null body status"). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** A `fetch` over `send`, for what wants one. */
export function asFetch(send: Send): (request: Request) => Promise<Response> {
  return async (request) => {
    const headers: Record<string, string> = {};
    request.headers.forEach((value, name) => (headers[name] = value));
    const { url, method, signal } = request;
    const reply = await send({
      method,
      url,
      headers,
      signal,
      ...(request.body === null ? {} : { body: await request.text() }),
    });
    const answered = new Headers();
    for (const name of passedOn) {
      const value = reply.headers.get(name);
      if (value !== null) answered.set(name, value);
    }
    return new Response(bodiless.has(reply.status) ? null : reply.text, {
      status: reply.status,
      headers: answered,
    });
  };
}

/** What the document names of an answer's headers. */
const passedOn = [
  'allow',
  'content-type',
  'etag',
  'idempotent-replayed',
  'link',
  'location',
  'preference-applied',
  'retry-after',
  'www-authenticate',
  'x-flow-id',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
];
