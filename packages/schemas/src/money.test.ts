import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson, readingForm } from '@outbound/contract';
import { amountFromText, amountToText, money, moneyAmount } from './money.ts';

const read = (amount: string, currency = 'EUR') =>
  money.safeParse(parseJson(`{"amount":${amount},"currency":"${currency}"}`));

describe('an amount', () => {
  test.each([
    ['0', 0],
    ['0.0000', 0],
    ['1.50', 1.5],
    ['0.1', 0.1],
    ['99.95', 99.95],
    ['0.0001', 0.0001],
    ['99999999999.9999', 99_999_999_999.9999],
  ])('%s is taken as %d', (text, amount) => {
    expect(read(text).data).toEqual({ amount, currency: 'EUR' });
  });

  test.each([
    '-1',
    '-0',
    '-0.0',
    '1e2',
    '1E-2',
    '1e400',
    '0.00001',
    '0.10000000000000001',
    '1.00000',
    '100000000000',
    '12345678901234567890',
    '"1"',
    'null',
    '[1]',
    'true',
  ])('%s is refused', (text) => {
    expect(read(text).success).toBe(false);
  });

  test.each([Number.NaN, Infinity, -0, 0.1 + 0.2, 1e21, 1e-7])(
    'the JavaScript number %d is refused',
    (amount) => {
      expect(money.safeParse({ amount, currency: 'EUR' }).success).toBe(false);
      expect(() => amountToText(amount)).toThrow(RangeError);
    },
  );

  const decimal = fc
    .tuple(fc.integer({ min: 0, max: 99_999_999_999 }), fc.integer({ min: 0, max: 9_999 }))
    .map(([whole, part]) => `${whole}.${String(part).padStart(4, '0')}`);

  test('every decimal of 11 and 4 digits survives sender, database and event without a change', () => {
    fc.assert(
      fc.property(decimal, (text) => {
        const canonical = text.replace(/\.?0+$/, '');
        const amount = read(text).data?.amount ?? Number.NaN;
        expect(amountToText(amount)).toBe(canonical);
        expect(amountFromText(text)).toBe(amount);
        expect(JSON.stringify(amount)).toBe(amountToText(amount));
      }),
      { numRuns: 2_000 },
    );
  });
});

test.each(['eur', 'EURO', '', 'XXX', 'ABC'])('the currency %j is refused', (code) => {
  expect(read('1', code).success).toBe(false);
});

test('a price is closed', () => {
  expect(money.safeParse({ amount: 1, currency: 'EUR', tax: 1 }).success).toBe(false);
});

test('text that is no amount is refused on its way out of the database', () => {
  expect(() => amountFromText('-1.0000')).toThrow(RangeError);
  expect(() => amountFromText('NaN')).toThrow(RangeError);
});

test('no amount is read that a double would round', () => {
  const amount = readingForm(moneyAmount);
  expect(amount.parse(99.95)).toBe(99.95);
  expect(amount.safeParse(0.1 + 0.2).success).toBe(false);
});

test('a currency that is no longer taken stays readable', () => {
  expect(readingForm(money).safeParse({ amount: 1, currency: 'QQQ' }).success).toBe(true);
});
