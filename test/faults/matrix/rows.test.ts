import { describe, expect, it } from 'vitest';
import { missingRows } from './rows-missing.ts';
import { faultRows } from './rows.ts';

describe('the fault matrix', () => {
  it('has each of its 45 rows once, or says why it is missing', async () => {
    const rows = await faultRows();
    const numbers = rows.map(({ number }) => number);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(
      [...numbers, ...missingRows.map(({ number }) => number)].sort((one, other) => one - other),
    ).toEqual(Array.from({ length: 45 }, (_, index) => index + 1));
    for (const { fault, expected, seeds } of rows) {
      expect(fault).not.toBe('');
      expect(expected).not.toBe('');
      expect(seeds).toBeGreaterThan(0);
    }
    for (const { why } of missingRows) expect(why).not.toBe('');
  });
});
