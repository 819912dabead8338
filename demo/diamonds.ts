import type { Row } from './rows.ts';

const measures = ['carat', 'depth', 'table', 'x', 'y', 'z'] as const;
const grades = ['cut', 'color', 'clarity'] as const;

/** The category of all of them. */
export const diamondCategory = 'diamonds';

/**
 * The product to create for a row of the diamonds table, as JSON text. Its numbers are the table's own digits (`55.0` stays `55.0`):
 * they never pass through a double.
 * @throws Error naming the row whose cell is not a number.
 */
export function diamondInput(row: Row): string {
  const { id = '', carat = '', cut = '', color = '', clarity = '', price = '' } = row;
  const number = (column: string): string => {
    const text = row[column] ?? '';
    if (!/^(0|[1-9]\d*)(\.\d+)?$/.test(text))
      throw new Error(`diamond ${id}: ${column} is "${text}" and not a number`);
    return text;
  };
  number('price');
  const attributes = [
    ...grades.map((column) => `${JSON.stringify(column)}:${JSON.stringify(row[column] ?? '')}`),
    ...measures.map((column) => `${JSON.stringify(column)}:${number(column)}`),
  ];
  const text = {
    sku: `DIA-${id.padStart(5, '0')}`,
    name: `Round diamond ${carat} ct, ${cut}, ${color}, ${clarity}`,
    category: diamondCategory,
    status: 'ACTIVE',
  };
  const fields = JSON.stringify(text).slice(1, -1);
  return `{${fields},"price":{"amount":${price},"currency":"USD"},"attributes":{${attributes.join(',')}}}`;
}
