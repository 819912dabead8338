import type { Send } from './repeat-exchange.ts';

/** An answer that a helper of the client cannot go on from. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: number;
  /** The body, as far as a person reads it. */
  readonly text: string;
  constructor(what: string, status: number, text: string) {
    super(`${what} is answered ${status}: ${text.slice(0, 500)}`);
    this.status = status;
    this.text = text;
  }
}

/**
 * All entities of a list, page by page, as its links lead. An entity that is there the whole time comes once.
 * @param url of the first page, with its filters.
 * @throws RefusedError for a page that is answered otherwise than 200.
 */
export async function* itemsOf<Item>(
  send: Send,
  url: string,
  signal?: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  for (let at: string | undefined = url; at !== undefined;) {
    const { status, text } = await send({
      method: 'GET',
      url: at,
      headers: {},
      ...(signal === undefined ? {} : { signal }),
    });
    if (status !== 200) throw new RefusedError(`GET ${new URL(url).pathname}`, status, text);
    const page = JSON.parse(text) as { readonly items: readonly Item[]; readonly next?: string };
    yield* page.items;
    // Of the link only what says which page: its host may be one that only others reach, and the token goes nowhere else.
    at = page.next === undefined ? undefined : new URL(new URL(page.next, url).search, url).href;
  }
}
