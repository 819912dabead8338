import {
  amountFromText,
  amountToText,
  product,
  productChange,
  productInput,
  productPatch,
  productTable,
  type Product,
  type ProductInput,
} from '@outbound/schemas';
import type { Aggregate } from '../catalog/aggregate.ts';

/** Products: sold under a SKU, which is unique among live ones. */
export const productAggregate: Aggregate<typeof productTable.$inferSelect, ProductInput> = {
  name: 'product',
  plural: 'products',
  table: productTable,
  eventType: productChange,
  entity: product,
  input: productInput,
  patch: productPatch,
  uniqueKeys: [{ index: 'product_sku_key', field: 'sku' }],
  filters: {
    status: { column: productTable.status, schema: productInput.shape.status.unwrap() },
    brand: { column: productTable.brand, schema: productInput.shape.brand.unwrap() },
    category: { column: productTable.category, schema: productInput.shape.category.unwrap() },
    sku: { column: productTable.sku, schema: productInput.shape.sku },
  },
  toRow: ({ sku, name, description, brand, category, price, attributes, status }) => ({
    sku,
    name,
    description: description ?? null,
    brand: brand ?? null,
    category: category ?? null,
    priceAmount: price === undefined ? null : amountToText(price.amount),
    priceCurrency: price?.currency ?? null,
    attributes,
    status,
  }),
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
