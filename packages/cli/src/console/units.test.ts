import { expect, test } from 'vitest';
import { ageText, bytesText, durationText } from './units.ts';

test.each([
  [0, '0 s'],
  [0.0004, '1 ms'],
  [0.25, '250 ms'],
  [1.24, '1.2 s'],
  [42.4, '42 s'],
  [60, '1 min'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
  [273_600, '3 d 4 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [3.2 * 1024 ** 3, '3.2 GiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test('a moment by a clock that is ahead of ours was just now', () => {
  expect(ageText('2026-01-01T00:00:05Z', Date.parse('2026-01-01T00:00:00Z'))).toBe('just now');
  expect(ageText('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:03Z'))).toBe('3.0 s ago');
});
