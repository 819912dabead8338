import { expect, it } from 'vitest';
import { readReturnPreference } from './prefer.ts';

it.each([
  ['return=minimal', 'minimal'],
  ['return=representation', 'representation'],
  ['Return="minimal"', 'minimal'],
  ['respond-async, wait=10, return=minimal', 'minimal'],
  ['foo="a, return=representation"; x=1, return=minimal; y="z"', 'minimal'],
  ['return = minimal , return=representation', 'minimal'],
  ['respond-async; a=1; b="2", return=minimal', 'minimal'],
  ['return=everything', undefined],
  ['returns=minimal', undefined],
  ['=minimal', undefined],
  ['"return=minimal', undefined],
  ['', undefined],
])('of Prefer: %s the return is %s', (text, expected) => {
  expect(readReturnPreference(text)).toBe(expected);
});

it('reads several lines as one list, and no header as no preference', () => {
  expect(readReturnPreference(['wait=5', 'return=minimal'])).toBe('minimal');
  expect(readReturnPreference(undefined)).toBe(undefined);
});
