export { productChange } from './events/product-change.ts';
export { categoryChange } from './events/category-change.ts';
export { currencyCodes } from './currency.ts';
export { amountFromText, amountToText, money, moneyAmount, type Money } from './money.ts';
export { entityId, entityVersion, maxAttributesBytes, moment, slug } from './entity-fields.ts';
export {
  product,
  productInput,
  productPatch,
  productStatuses,
  type Product,
  type ProductInput,
  type ProductPatch,
} from './product.ts';
export {
  category,
  categoryInput,
  categoryPatch,
  type Category,
  type CategoryInput,
  type CategoryPatch,
} from './category.ts';
export { storedAggregates } from './aggregates/stored-aggregates.ts';
export { storedCategory } from './aggregates/stored-category.ts';
export { storedProduct } from './aggregates/stored-product.ts';
export { productTable } from './tables/product.ts';
export { categoryTable } from './tables/category.ts';
export { idempotencyKeyTable } from './tables/idempotency-key.ts';
export { productSearchTable } from './tables/product-search.ts';
export { erasureTable } from './tables/erasure.ts';
export { searchProgressTable } from './tables/search-progress.ts';
export { eventTypes } from './events/event-types.ts';
export { catalogAsyncApi } from './asyncapi.ts';
