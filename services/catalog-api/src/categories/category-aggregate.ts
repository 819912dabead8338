import {
  category,
  categoryInput,
  categoryPatch,
  categoryTable,
  storedCategory,
  type CategoryInput,
} from '@outbound/schemas';
import type { Aggregate } from '../catalog/aggregate.ts';

/** Categories: products refer to their code, which is unique among live ones. */
export const categoryAggregate: Aggregate<typeof categoryTable.$inferSelect, CategoryInput> = {
  ...storedCategory,
  plural: 'categories',
  scopes: { read: 'catalog.category.read', write: 'catalog.category.write' },
  entity: category,
  input: categoryInput,
  patch: categoryPatch,
  examples: {
    input: { code: 'shoes', name: 'Shoes', description: 'What is worn on feet.' },
    patch: { name: 'Shoes and boots' },
  },
  uniqueKeys: [{ index: 'category_code_key', field: 'code' }],
  filters: { code: { column: categoryTable.code, schema: categoryInput.shape.code } },
  references: { to: [], from: [{ constraint: 'category_referred', field: 'code' }] },
  purged: { code: 'purged', name: 'purged' },
  toRow: ({ code, name, description }) => ({ code, name, description: description ?? null }),
};
