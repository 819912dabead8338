import { changeRoute, defineEventType } from '@outbound/contract';
import { z } from 'zod';

/** What the entity writer writes under the name of a product change, as readers of the soak read it. */
export const entityChange = defineEventType({
  name: 'catalog.product-change',
  category: 'data',
  owner: 'tests',
  audience: 'component-internal',
  version: '1.0.0',
  dataType: 'catalog.product',
  value: z.strictObject({
    data_op: z.enum(['C', 'U', 'D', 'S']),
    data: z.strictObject({ id: z.string(), version: z.int(), filler: z.string() }),
  }),
  orderingKeyFields: ['data.version'],
  orderingInstanceIds: ['data.id'],
  compatibilityMode: 'compatible',
  routes: [changeRoute('catalog.product-change', { partitions: 6, retentionMs: 1 })],
});
