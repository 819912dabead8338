import { category } from '../category.ts';
import { dataChangeEvent } from '@outbound/contract';

/** Every change of a category. */
export const categoryChange = dataChangeEvent({
  dataType: 'catalog.category',
  version: '1.0.0',
  owner: 'catalog-api',
  data: category,
  partitions: 6,
});
