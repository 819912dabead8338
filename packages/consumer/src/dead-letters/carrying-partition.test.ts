import { keyBytes } from '@outbound/kafka';
import { partitionOf } from '@outbound/contract';
import { expect, it } from 'vitest';
import { carryingPartition } from './carrying-partition.ts';

it('a request is carried out by who has the partition of its letters, or else that of its key, of those that there are', () => {
  expect(carryingPartition({ partition: 2, key: 'a' }, 3)).toBe(2);
  expect(carryingPartition({ partition: 3, key: 'a' }, 3)).toBe(partitionOf(keyBytes('a'), 3));
  expect(carryingPartition({ partition: 3, key: null }, 3)).toBe(0);
  expect(carryingPartition({ partition: 3, key: 'a' }, undefined)).toBe(3);
});
