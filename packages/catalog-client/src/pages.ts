import { RefusedError } from './refused-error.ts';
import type { Send } from './repeat-exchange.ts';

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
