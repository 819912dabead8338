import { productChange } from '@outbound/schemas';
import { expect, it } from 'vitest';
import { registeredPrefixes } from './value-prefixes.ts';

it('has a prefix for each topic that gets values', async () => {
  const subjects: string[] = [];
  const lookup = (subject: string) => Promise.resolve(subjects.push(subject));
  const prefixes = await registeredPrefixes([productChange], { lookup });
  expect(subjects).toEqual(['catalog.product-change-value', 'catalog.product-value']);
  expect(prefixes.get(productChange)?.get('catalog.product')).toEqual(Buffer.from([0, 0, 0, 0, 2]));
});

it('names the subject that is not registered, and what to do', async () => {
  const lookup = () => Promise.reject(new Error('the registry answered 404'));
  await expect(registeredPrefixes([productChange], { lookup })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/catalog.product-change-value.*schemas publish.*404/) as string,
  });
});
