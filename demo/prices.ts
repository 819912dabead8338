import type { Row } from './rows.ts';

/** What one product was seen to cost, one observation after the other. */
export interface PriceHistory {
  readonly brand: string;
  /** US dollars as exact decimal text, such as `0.98`. */
  readonly amounts: readonly string[];
}

/** US cents as exact decimal text in dollars, without trailing zeros: `98.0` gives `0.98`, `49.5` gives `0.495`. @throws Error for other text. */
export function dollarsOf(cents: string): string {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(cents);
  if (!match) throw new Error(`${cents} is not a price in cents: expected digits such as 98.0`);
  const digits = (match[1] ?? '').padStart(3, '0');
  const fraction = `${digits.slice(-2)}${match[2] ?? ''}`.replace(/0+$/, '');
  const whole = digits.slice(0, -2).replace(/^0+(?=\d)/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** The history of each brand, brands in order of their first appearance. Rows have `brand` and `price` (cents). */
export function priceHistories(rows: readonly Row[]): PriceHistory[] {
  const byBrand = new Map<string, string[]>();
  for (const { brand = '', price = '' } of rows) {
    const amounts = byBrand.get(brand) ?? [];
    byBrand.set(brand, amounts);
    amounts.push(dollarsOf(price));
  }
  return Array.from(byBrand, ([brand, amounts]) => ({ brand, amounts }));
}
