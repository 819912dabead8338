import { expect, it } from 'vitest';
import { findCanaries } from './canary-search.ts';

const canaries = { password: 'canary/7f3a+91bc' };
const sees = (text: string) =>
  findCanaries(canaries, new Map([['log', text]])).map(({ canary, form }) => [canary, form]);

it.each([
  ['plain', 'connecting as u:canary/7f3a+91bc@h'],
  ['base64', `authorization: Basic ${Buffer.from('canary/7f3a+91bc').toString('base64')}`],
  ['hex', Buffer.from('canary/7f3a+91bc').toString('hex').toUpperCase()],
  ['URL-encoded', 'postgres://u:canary%2F7f3a%2B91bc@h'],
])('a secret is seen in the form %s', (form, text) => {
  expect(sees(text)).toEqual([['password', form]]);
});

it('what only looks like it is not', () => {
  expect(sees('canary/7f3a+91bd')).toEqual([]);
});
