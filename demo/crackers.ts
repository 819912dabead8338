import { CatalogError, type CatalogClient } from './catalog-client.ts';
import type { PriceHistory } from './prices.ts';

/** A product whose price history is played. */
export interface HotProduct {
  readonly id: string;
  readonly brand: string;
  readonly amounts: readonly string[];
}

/** The category of all of them. */
export const crackerCategory = 'crackers';

/** The product to create for a brand, as JSON text, with the first price that was seen. */
export function crackerInput({ brand, amounts }: PriceHistory): string {
  return JSON.stringify({
    sku: crackerSku(brand),
    name: `Crackers, ${brand}`,
    brand,
    category: crackerCategory,
    status: 'ACTIVE',
    price: { amount: Number(amounts[0] ?? 0), currency: 'USD' },
  });
}

/** The products as they are in the catalog, by their sku. @throws CatalogError if one is not there. */
export async function findCrackers(
  client: CatalogClient,
  histories: readonly PriceHistory[],
): Promise<HotProduct[]> {
  return Promise.all(
    histories.map(async ({ brand, amounts }) => {
      const sku = crackerSku(brand);
      const { status, body } = await client.send('GET', `/products?sku=${sku}`);
      const id = status === 200 ? firstId(body) : undefined;
      if (id === undefined)
        throw new CatalogError(
          `product ${sku} is not in the catalog (${status}): run npm run reset`,
        );
      return { id, brand, amounts };
    }),
  );
}

/** The product's ETag now. @throws CatalogError if there is no such product. */
export async function currentEtag(client: CatalogClient, id: string): Promise<string> {
  const { status, etag } = await client.send('GET', `/products/${id}`);
  if (status !== 200 || etag === undefined)
    throw new CatalogError(`GET /products/${id} was answered ${status} without an ETag`);
  return etag;
}

function crackerSku(brand: string): string {
  return `CRK-${brand.toUpperCase()}`;
}

function firstId(page: string): string | undefined {
  return (JSON.parse(page) as { items: { id: string }[] }).items[0]?.id;
}
