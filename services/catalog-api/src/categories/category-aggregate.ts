import {
  category,
  categoryChange,
  categoryInput,
  categoryPatch,
  categoryTable,
  type Category,
  type CategoryInput,
} from '@outbound/schemas';
import type { Aggregate } from '../catalog/aggregate.ts';

/** Categories: products refer to their code, which is unique among live ones. */
export const categoryAggregate: Aggregate<typeof categoryTable.$inferSelect, CategoryInput> = {
  name: 'category',
  plural: 'categories',
  table: categoryTable,
  eventType: categoryChange,
  entity: category,
  input: categoryInput,
  patch: categoryPatch,
  uniqueKeys: [{ index: 'category_code_key', field: 'code' }],
  filters: { code: { column: categoryTable.code, schema: categoryInput.shape.code } },
  toRow: ({ code, name, description }) => ({ code, name, description: description ?? null }),
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
