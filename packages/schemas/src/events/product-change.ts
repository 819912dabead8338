import { product } from '../product.ts';
import { dataChangeEvent } from '@outbound/contract';

/** Every change of a product. */
export const productChange = dataChangeEvent({
  dataType: 'catalog.product',
  version: '1.1.0',
  owner: 'catalog-api',
  data: product,
  partitions: 6,
});
