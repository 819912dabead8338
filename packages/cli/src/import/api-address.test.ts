import { expect, test } from 'vitest';
import { apiAddress } from './api-address.ts';

test.each([
  ['https://Catalog.Example:443/v1//', 'https://catalog.example/v1'],
  ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080'],
  ['http://127.1:80', 'http://127.0.0.1'],
  ['http://someone:secret@localhost:8080/?a=b#c', 'http://localhost:8080'],
])('the address %s is %s', (url, address) => {
  expect(apiAddress(url)).toBe(address);
});
