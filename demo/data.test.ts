import { describe, expect, test } from 'vitest';
import { crackerInput } from './crackers.ts';
import { diamondInput } from './diamonds.ts';
import { dollarsOf, priceHistories } from './prices.ts';
import { parseRows, readRows } from './rows.ts';

const diamonds = await readRows(new URL('data/diamonds.csv.gz', import.meta.url));
const prices = await readRows(new URL('data/cracker-prices.csv.gz', import.meta.url));

describe('rows', () => {
  test('are read whole, cells as text', () => {
    expect(diamonds).toHaveLength(53_940);
    expect(diamonds[0]).toMatchObject({ id: '1', carat: '0.23', table: '55.0' });
    expect(prices).toHaveLength(13_168);
  });

  test('that are cut short are refused with their line', () => {
    expect(() => parseRows('a,b\n1,2\n3\n', 'table.csv')).toThrow(
      'table.csv line 3 has 1 plain cells',
    );
    expect(() => parseRows('a,b\n"1,2\n', 'table.csv')).toThrow('table.csv line 2');
  });
});

describe('a diamond', () => {
  test('is a product with the digits of the table', () => {
    const [first = {}] = diamonds;
    expect(diamondInput(first)).toBe(
      '{"sku":"DIA-00001","name":"Round diamond 0.23 ct, Ideal, E, SI2","category":"diamonds","status":"ACTIVE",' +
        '"price":{"amount":326,"currency":"USD"},"attributes":{"cut":"Ideal","color":"E","clarity":"SI2",' +
        '"carat":0.23,"depth":61.5,"table":55.0,"x":3.95,"y":3.98,"z":2.43}}',
    );
  });

  test('is valid JSON and has a sku of its own, for every row', () => {
    const skus = diamonds.map((row) => (JSON.parse(diamondInput(row)) as { sku: string }).sku);
    expect(new Set(skus).size).toBe(53_940);
  });

  test('without a number where one belongs is refused', () => {
    expect(() => diamondInput({ ...diamonds[0], depth: 'NA' })).toThrow('diamond 1: depth is "NA"');
  });
});

describe('prices', () => {
  test.each([
    ['98.0', '0.98'],
    ['49.5', '0.495'],
    ['100.0', '1'],
    ['120', '1.2'],
    ['5.0', '0.05'],
    ['0.0', '0'],
    ['12345.0', '123.45'],
  ])('%s cents are %s dollars', (cents, dollars) => {
    expect(dollarsOf(cents)).toBe(dollars);
  });

  test.each(['', 'NA', '-1', '1e2', ' 98'])('"%s" is no price', (cents) => {
    expect(() => dollarsOf(cents)).toThrow('is not a price in cents');
  });

  test('are a history for each of four brands', () => {
    const histories = priceHistories(prices);
    expect(histories.map(({ brand }) => brand)).toEqual([
      'sunshine',
      'kleebler',
      'nabisco',
      'private',
    ]);
    for (const { amounts } of histories) expect(amounts).toHaveLength(3292);
    expect(histories[0]?.amounts.slice(0, 3)).toMatchObject([
      '0.98',
      expect.any(String),
      expect.any(String),
    ]);
  });

  test('begin with the price that the product is created with', () => {
    expect(JSON.parse(crackerInput({ brand: 'nabisco', amounts: ['1.2', '1.1'] }))).toMatchObject({
      sku: 'CRK-NABISCO',
      price: { amount: 1.2, currency: 'USD' },
    });
  });
});
