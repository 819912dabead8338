import {
  amountToText,
  product,
  productInput,
  productPatch,
  productSearchTable,
  productTable,
  storedProduct,
  type ProductInput,
} from '@outbound/schemas';
import type { Aggregate } from '../catalog/aggregate.ts';

/** Products: sold under a SKU, which is unique among live ones. */
export const productAggregate: Aggregate<typeof productTable.$inferSelect, ProductInput> = {
  ...storedProduct,
  plural: 'products',
  scopes: { read: 'catalog.product.read', write: 'catalog.product.write' },
  entity: product,
  input: productInput,
  patch: productPatch,
  examples: {
    input: {
      sku: 'SHOE-42',
      name: 'Trail running shoe',
      description: 'Light, with a grip for wet rock.',
      brand: 'Example Sports',
      price: { amount: 99.95, currency: 'EUR' },
      attributes: { colour: 'red', sizes: [41, 42, 43] },
      status: 'ACTIVE',
    },
    patch: { price: { amount: 89.95 }, attributes: { colour: null } },
  },
  uniqueKeys: [{ index: 'product_sku_key', field: 'sku' }],
  filters: {
    sku: { column: productTable.sku, schema: productInput.shape.sku },
    brand: {
      column: productTable.brand,
      schema: productInput.shape.brand.unwrap(),
      hasCommas: true,
    },
    category: { column: productTable.category, schema: productInput.shape.category.unwrap() },
    status: { column: productTable.status, schema: productInput.shape.status.unwrap() },
  },
  money: {
    name: 'price',
    amount: productTable.priceAmount,
    currency: productTable.priceCurrency,
  },
  search: {
    table: productSearchTable,
    documentOf: [productTable.name, productTable.description, productTable.attributes],
    documentFunction: 'product_search_document',
    attributes: productTable.attributes,
    idsFunction: 'product_search_ids',
  },
  references: {
    to: [
      {
        ...{ constraint: 'product_category_exists', field: 'category' },
        ...{ kind: 'category', kindField: 'code' },
      },
    ],
    from: [],
  },
  purged: { sku: 'purged', name: 'purged', attributes: {}, status: 'DISCONTINUED' },
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
};
