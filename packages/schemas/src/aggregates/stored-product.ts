import { productChange } from '../events/product-change.ts';
import { amountFromText } from '../money.ts';
import type { Product } from '../product.ts';
import { productTable } from '../tables/product.ts';
import type { StoredAggregate } from '@outbound/outbox';

/** Products in their table. */
export const storedProduct: StoredAggregate<typeof productTable.$inferSelect> = {
  name: 'product',
  table: productTable,
  eventType: productChange,
  toEntity: (row): Product => ({
    id: row.id,
    sku: row.sku,
    name: row.name,
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.brand === null ? {} : { brand: row.brand }),
    ...(row.category === null ? {} : { category: row.category }),
    ...(row.priceAmount === null || row.priceCurrency === null
      ? {}
      : { price: { amount: amountFromText(row.priceAmount), currency: row.priceCurrency } }),
    attributes: row.attributes,
    status: row.status,
    version: row.version,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }),
};
