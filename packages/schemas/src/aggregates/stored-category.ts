import type { Category } from '../category.ts';
import { categoryChange } from '../events/category-change.ts';
import { categoryTable } from '../tables/category.ts';
import type { StoredAggregate } from '@outbound/outbox';

/** Categories in their table. */
export const storedCategory: StoredAggregate<typeof categoryTable.$inferSelect> = {
  name: 'category',
  table: categoryTable,
  eventType: categoryChange,
  toEntity: (row): Category => ({
    id: row.id,
    code: row.code,
    name: row.name,
    ...(row.description === null ? {} : { description: row.description }),
    version: row.version,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }),
};
