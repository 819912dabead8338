import { CatalogError, type CatalogClient } from './catalog-client.ts';
import { inParallel } from './in-parallel.ts';

/** How a load ended. */
export interface LoadTally {
  readonly createdCount: number;
  /** Items whose sku was there already: a second run reuses them. */
  readonly reusedCount: number;
}

interface ItemResult {
  readonly index: number;
  readonly status: number;
  readonly problem?: { readonly title?: string; readonly detail?: string };
}

/** Items in one request. Smaller than the API's limit of 1,000, so that several requests of the small slice are under way at once. */
const itemsPerRequest = 250;

/**
 * Creates products through `POST /products/batch`, `width` requests at a time, each with an Idempotency-Key of its own, so that a request
 * that is tried again creates nothing twice.
 * @param options.items product inputs as JSON text.
 * @param options.runId makes the keys of this run; another run has others, and finds what is there by its sku (409).
 * @param options.onDone told how many items an answer was about.
 * @throws CatalogError for an item that was neither created nor there.
 */
export async function loadProducts(
  client: CatalogClient,
  {
    items,
    runId,
    width,
    onDone,
  }: {
    readonly items: readonly string[];
    readonly runId: string;
    readonly width: number;
    readonly onDone: (count: number) => void;
  },
): Promise<LoadTally> {
  let createdCount = 0;
  let reusedCount = 0;
  await inParallel(chunks(items, itemsPerRequest), width, async ({ chunk, from }) => {
    const { status, body } = await client.send('POST', '/products/batch', {
      headers: { 'idempotency-key': `demo-${runId}-${from}` },
      body: `{"items":[${chunk.join(',')}]}`,
    });
    if (status !== 207)
      throw new CatalogError(`POST /products/batch was answered ${status} ${body.slice(0, 300)}`);
    for (const { index, status: itemStatus, problem } of resultsOf(body)) {
      if (itemStatus === 201) createdCount++;
      else if (itemStatus === 409) reusedCount++;
      else
        throw new CatalogError(
          `product ${from + index} of the load was answered ${itemStatus} ${problem?.detail ?? problem?.title ?? ''}`,
        );
    }
    onDone(chunk.length);
  });
  return { createdCount, reusedCount };
}

/** Creates the categories that the products name; those that are there already are left alone. @throws CatalogError */
export async function ensureCategories(
  client: CatalogClient,
  codes: ReadonlySet<string>,
): Promise<void> {
  for (const code of codes) {
    const { status, body } = await client.send('POST', '/categories', {
      body: JSON.stringify({ code, name: `${code.charAt(0).toUpperCase()}${code.slice(1)}` }),
    });
    if (status !== 201 && status !== 409)
      throw new CatalogError(`POST /categories was answered ${status} ${body.slice(0, 300)}`);
  }
}

function resultsOf(body: string): readonly ItemResult[] {
  return (JSON.parse(body) as { items: readonly ItemResult[] }).items;
}

function* chunks(items: readonly string[], size: number) {
  for (let from = 0; from < items.length; from += size)
    yield { from, chunk: items.slice(from, from + size) };
}
