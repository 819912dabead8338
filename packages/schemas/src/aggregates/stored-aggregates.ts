import type { StoredAggregate } from '@outbound/outbox';
import { storedCategory } from './stored-category.ts';
import { storedProduct } from './stored-product.ts';

/** Every kind of entity of the catalog, by name: what backfill and verification go through. */
export const storedAggregates: ReadonlyMap<string, StoredAggregate> = new Map(
  [storedProduct as StoredAggregate, storedCategory as StoredAggregate].map((aggregate) => [
    aggregate.name,
    aggregate,
  ]),
);
